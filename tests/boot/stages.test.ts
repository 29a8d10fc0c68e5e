import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { followStages, watchStages } from '../../src/boot/stages.ts';

// Lines of a real start, shortened.
const lines = {
  firmware: '\u001b[2J\u001b[001;001HBdsDxe: starting Boot0002 "UEFI QEMU NVMe Ctrl"\r\n',
  kernel: '[    0.000000] Linux version 7.2.12+deb14-cloud-amd64 (gcc-16)\r\n',
  greeting:
    '\u001b[0;1;39mWelcome to \u001b[0m\u001b[0;38;2;36;120;160mWeir Linux 4.0\u001b[0m\u001b[0;1;39m!\u001b[0m\r\n',
  basic: '[\u001b[0;32m  OK  \u001b[0m] Reached target \u001b[0;1;39mbasic.target\u001b[0m - Basic System.\r\n',
  multiUser: '[  OK  ] Reached target \u001b[0;1;39mmulti-user.target\u001b[0m - Multi-User System.\r\n',
};

const answer = (name: string): string => `{"name":"${name}","code":0,"text":""}\n`;

test('a stage ends once, in its order; what was not seen to end is passed over', () => {
  const { look: follow, now } = followStages();
  expect(follow('BdsDxe: starting', [])).toEqual([]);
  expect(now()).toBe('firmware');
  expect(follow('BdsDxe: starting\nLinux version 7', [])).toEqual(['firmware']);
  expect(follow('BdsDxe: starting\nLinux version 7', [])).toEqual([]);
  expect(follow('Linux version 7\nWelcome to Weir!\nReached target multi-user.target', [])).toEqual([
    'kernel',
    'multi-user',
  ]);
  // Too late to be told.
  expect(follow('Welcome to Weir!\nReached target basic.target', ['state', 'failed'])).toEqual(['settling']);
  expect(follow('', ['state', 'failed', 'warnings', 'packages', 'install', 'end'])).toEqual([
    'questions',
    'dnf install',
    'last questions',
  ]);
  expect(now()).toBe('power-off');
});

test('a machine that ends before its time is told with where it was', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'weir-stages-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const console = join(dir, 'console.log');
  await appendFile(console, lines.firmware + lines.kernel);
  const told: string[] = [];
  await watchStages({ console, answers: join(dir, 'none') }, AbortSignal.abort(), (name) => told.push(name));
  expect(told).toEqual(['firmware', 'kernel, not ended,']);
});

test('a start is told while it goes on, and its end', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'weir-stages-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const files = { console: join(dir, 'console.log'), answers: join(dir, 'answers.jsonl') };
  const told: string[] = [];
  const waiting: { readonly name: string; readonly go: () => void }[] = [];
  const ended = new AbortController();
  const watching = watchStages(files, ended.signal, (name, seconds) => {
    expect(seconds).toBeGreaterThanOrEqual(0);
    told.push(name);
    if (waiting[0]?.name === name) waiting.shift()!.go();
  });
  const until = (name: string): Promise<void> => new Promise((go) => waiting.push({ name, go }));
  for (const [file, text, name] of [
    [files.console, lines.firmware + lines.kernel, 'firmware'],
    [files.console, lines.greeting, 'kernel'],
    [files.console, lines.basic, 'basic system'],
    [files.console, lines.multiUser, 'multi-user'],
    [files.answers, answer('state'), 'settling'],
    [files.answers, answer('warnings') + answer('verify'), 'rpm -Va'],
  ] as const) {
    const seen = until(name);
    await appendFile(file, text);
    await seen;
  }
  // What came just before the end is told too.
  await appendFile(files.answers, answer('end'));
  ended.abort();
  await watching;
  expect(told).toEqual([
    ...['firmware', 'kernel', 'basic system', 'multi-user', 'settling', 'questions', 'rpm -Va'],
    ...['last questions', 'power-off'],
  ]);
});
