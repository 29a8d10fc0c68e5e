import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { basename } from 'node:path';
import { expect, test } from 'vitest';
import { isAbandoned, isTemporary, temporaryName } from '../../src/base/files.ts';

/** This process's own temporary, with one of the parts of its name changed: process, namespace, start. */
function changed(part: number, to: number): string {
  const parts = basename(temporaryName('/x/y')).slice(1).split('-');
  parts[part] = to.toString(36);
  return `.${parts.join('-')}`;
}

test('a temporary is abandoned when its process is gone', async () => {
  const own = basename(temporaryName('/x/y'));
  expect(isTemporary(own)).toBe(true);
  expect(isAbandoned(own, 0)).toBe(false);
  const child = spawn('true');
  await once(child, 'exit');
  expect(isAbandoned(changed(0, child.pid!), Date.now())).toBe(true);
});

test('a number that another process has by now does not keep it', () => {
  const other = changed(2, 12_345);
  expect(isTemporary(other)).toBe(true);
  expect(isAbandoned(other, Date.now())).toBe(true);
  expect(isAbandoned(changed(0, 1), Date.now())).toBe(true);
});

test('those of other containers have a day', () => {
  expect(isAbandoned(changed(1, 7), Date.now())).toBe(false);
  expect(isAbandoned(changed(1, 7), Date.now() - 90_000_000)).toBe(true);
});

test('other names are nobody’s', () => {
  for (const name of ['.x.tmp', '.git', 'a.tmp', '.1-2-3.tmp']) expect(isAbandoned(name, 0), name).toBe(false);
});
