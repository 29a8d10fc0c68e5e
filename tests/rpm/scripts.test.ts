import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Header, parseHeader, regions } from '../../src/rpm/header.ts';
import { readRpm, readRpmHeaders } from '../../src/rpm/read.ts';
import { packageScripts, readFileTriggers, readTriggers } from '../../src/rpm/scripts.ts';
import { fileTriggerTags, triggerTags } from '../../src/rpm/tags.ts';

const file = join(import.meta.dirname, 'fixtures', 'scripts.rpm');

test('reads every kind of script of a package that rpmbuild 6 wrote', async () => {
  const scripts = packageScripts(await readRpm(file));
  expect(scripts).toEqual([
    { name: 'pre', interpreter: ['/bin/sh'], script: 'echo pre' },
    { name: 'post', interpreter: ['/bin/sh'], script: 'echo %{_datadir}', flags: ['expand'] },
    { name: 'preun', interpreter: ['/bin/false'], script: '' },
    { name: 'postun', interpreter: ['/bin/sh'], script: 'echo [%{=NAME}]', flags: ['qformat'] },
    { name: 'pretrans', interpreter: ['<lua>'], script: 'print("pretrans")' },
    { name: 'posttrans', interpreter: ['/bin/sh', '-e'], script: 'echo posttrans' },
    { name: 'preuntrans', interpreter: ['/bin/sh'], script: 'echo preuntrans' },
    { name: 'postuntrans', interpreter: ['/bin/sh'], script: 'echo postuntrans' },
    { name: 'verifyscript', interpreter: ['/bin/sh'], script: 'echo verify' },
    { name: 'triggerprein', interpreter: ['/bin/sh'], script: 'echo triggerprein', on: ['bash'] },
    { name: 'triggerin', interpreter: ['/bin/sh'], script: 'echo triggerin', on: ['bash >= 5', 'zsh'] },
    { name: 'triggerun', interpreter: ['<lua>'], script: 'print("triggerun")', on: ['bash'] },
    { name: 'triggerpostun', interpreter: ['/bin/sh'], script: 'echo triggerpostun', on: ['scripts < 1-1'] },
    { name: 'filetriggerin', interpreter: ['/bin/sh'], script: 'cat', on: ['/usr/share/fonts'], priority: 5 },
    ...(['filetriggerun', 'filetriggerpostun'] as const).map((name) => ({
      name,
      interpreter: ['/bin/sh'],
      script: 'cat',
      on: ['/usr/share/fonts'],
      priority: 1_000_000,
    })),
    {
      name: 'transfiletriggerin',
      interpreter: ['/bin/sh'],
      script: 'ldconfig',
      on: ['/lib64', '/usr/lib64'],
      priority: 2_000_001,
    },
    ...[{ name: 'transfiletriggerun' }, { name: 'transfiletriggerpostun', flags: ['expand'] }].map((each) => ({
      interpreter: ['/bin/sh'],
      script: 'ldconfig',
      on: ['/usr/lib64'],
      priority: 1_000_000,
      ...each,
    })),
  ]);
});

test('lists of different lengths are an error of the package', async () => {
  const { mainBytes } = await readRpmHeaders(file);
  const header: Header = parseHeader(mainBytes, regions.main);
  const without = (number: number): Header => new Map([...header].filter(([each]) => each !== number));
  expect(() => readTriggers(without(triggerTags.index))).toThrow(/indexes of triggers/);
  expect(() => readFileTriggers(without(fileTriggerTags.trans.program), 'trans')).toThrow(
    /interpreters of file triggers/,
  );
  expect(readTriggers(new Map())).toEqual([]);
});
