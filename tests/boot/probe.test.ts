import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAnswers, probeCredentials } from '../../src/boot/probe.ts';

const options = {
  verifyPackages: true,
  settleSeconds: 60,
  install: {
    package: "jq'$(touch x)",
    repositories: [{ id: 'weir-base', baseUrl: "http://10.0.2.2:1/a'b/" }],
  },
};
const script = (): string => {
  const credential = probeCredentials(options).find(({ name }) => name === 'weir.probe');
  return String(credential?.value);
};

test('the probe consists of credentials only, and its unit finds its script among them', () => {
  const credentials = new Map(probeCredentials(options).map(({ name, value }) => [name, String(value)]));
  expect([...credentials.keys()]).toEqual([
    'systemd.extra-unit.weir-probe.service',
    'systemd.unit-dropin.multi-user.target',
    'weir.probe',
  ]);
  const unit = credentials.get('systemd.extra-unit.weir-probe.service')!;
  // A oneshot unit would be part of the boot that it waits for.
  expect(unit).toContain('\nType=exec\n');
  expect(unit).toContain('\nImportCredential=weir.*\n');
  expect(credentials.get('systemd.unit-dropin.multi-user.target')).toContain('Wants=weir-probe.service');
});

test("the user's script is a credential and runs before denials are collected", () => {
  const credentials = new Map(
    probeCredentials({ ...options, script: 'echo "$0"\n' }).map(({ name, value }) => [name, String(value)]),
  );
  expect(credentials.get('weir.run')).toBe('echo "$0"\n');
  const asked = [...credentials.get('weir.probe')!.matchAll(/^ask ([a-z-]+)/gm)].map(([, name]) => name);
  expect(asked.slice(-3)).toEqual(['run', 'denials', 'end']);
  expect(script()).not.toContain('weir.run');
});

test("the user's script finds the repositories of the check in dnf's settings", () => {
  const credentials = probeCredentials({ ...options, script: 'true' });
  const lines = String(credentials.find(({ name }) => name === 'weir.probe')?.value);
  const [, command = ''] =
    /^(printf %s '\[weir-base\][^>]*)> \/etc\/dnf\/repos.override.d\/99-weir-check.repo$/m.exec(lines) ?? [];
  expect(execFileSync('sh', ['-c', command], { encoding: 'utf8' })).toBe(
    "[weir-base]\nbaseurl=http://10.0.2.2:1/a'b/\nmetalink=\nmirrorlist=\n",
  );
  expect(script()).not.toContain('repos.override.d');
});

describe('the script', () => {
  test('is a shell script', () => {
    execFileSync('sh', ['-n'], { input: script() });
  });

  test('quotes names', () => {
    const line = script()
      .split('\n')
      .find((one) => one.startsWith('ask install '))!;
    const words = execFileSync('sh', ['-s'], { input: `ask() { printf '%s\\n' "$@"; }\n${line}\n` });
    expect(words.toString().trimEnd().split('\n')).toEqual([
      'install',
      'env',
      'TERM=dumb',
      'dnf5',
      '-y',
      '--refresh',
      '--repo=weir-base',
      "--setopt=weir-base.baseurl=http://10.0.2.2:1/a'b/",
      '--setopt=weir-base.metalink=',
      '--setopt=weir-base.mirrorlist=',
      'install',
      "jq'$(touch x)",
    ]);
  });

  test('never disables signature checks', () => {
    expect(script()).not.toMatch(/gpgcheck=|nogpgcheck|no-gpgchecks/i);
  });

  test('reports name, exit code and every byte of the output', () => {
    const text = script();
    const ask = text.slice(text.indexOf('ask()'), text.indexOf('\nask state'));
    const input = `exec 3>&1\n${ask}\nask one printf 'a"b\\\\ \\303\\244\\nc'\nask two sh -c 'echo no >&2; exit 7'\n`;
    expect(parseAnswers(execFileSync('sh', ['-s'], { input }).toString())).toEqual([
      { name: 'one', code: 0, text: 'a"b\\ ä\nc' },
      { name: 'two', code: 7, text: 'no' },
    ]);
  });
});

test('answers are read up to the last complete line', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ code: fc.nat(255), text: fc.string({ unit: 'grapheme' }) })),
      fc.nat(),
      (given, at) => {
        const lines = given.map(
          ({ code, text }) => `{"name":"x-y","code":${code},"text":"${Buffer.from(text).toString('base64')}"}\n`,
        );
        const whole = lines.join('');
        expect(parseAnswers(whole)).toEqual(given.map((one) => ({ name: 'x-y', ...one })));
        const cut = whole.slice(0, at % (whole.length + 1));
        expect(parseAnswers(cut)).toHaveLength(cut.split('\n').length - 1);
      },
    ),
  );
});

test('noise between answers is ignored', () => {
  expect(parseAnswers('login: \n{"name":"state","code":0,"text":"cnVubmluZw=="}\r\n{"name":1}\n')).toEqual([
    { name: 'state', code: 0, text: 'running' },
  ]);
});
