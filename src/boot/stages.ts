import { stat } from 'node:fs/promises';
import { readIfExists } from '../base/files.ts';
import { pause } from './pause.ts';
import { parseAnswers } from './probe.ts';

/** What of a machine's start is over, and by what that is seen: words on the console, or an answer of the probe. */
const stages: readonly { readonly name: string; readonly ends: RegExp | string }[] = [
  { name: 'firmware', ends: /Linux version \d/ },
  { name: 'kernel', ends: /Welcome to [^\n]*!/ },
  { name: 'basic system', ends: /Reached target (?:basic\.target|Basic System)/ },
  { name: 'multi-user', ends: /Reached target (?:multi-user\.target|Multi-User System)/ },
  { name: 'settling', ends: 'state' },
  { name: 'questions', ends: 'warnings' },
  { name: 'rpm -Va', ends: 'verify' },
  { name: 'dnf install', ends: 'install' },
  { name: 'script', ends: 'run' },
  { name: 'last questions', ends: 'end' },
];

/** What comes after them: the machine switches itself off. */
const last = 'power-off';

/** A start that is followed. */
export interface Followed {
  /**
   * Given what there is so far, says which stages have ended since, in their order; one that was not seen to end is left out, its
   * time is in that of the next.
   */
  readonly look: (console: string, answers: readonly string[]) => string[];
  /** The stage that it is in, by what was looked at last. */
  readonly now: () => string;
}

export function followStages(): Followed {
  let next = 0;
  return {
    look: (console, answers) => {
      const ended: string[] = [];
      for (const [index, { name, ends }] of stages.entries()) {
        if (index < next || !(typeof ends === 'string' ? answers.includes(ends) : ends.test(console))) continue;
        next = index + 1;
        ended.push(name);
      }
      return ended;
    },
    now: () => stages[next]?.name ?? last,
  };
}

/** Told of each stage as it ends. @param seconds that it took */
export type OnStage = (name: string, seconds: number) => void;

/** Looks at what a machine says until the signal fires, which is when it has ended. */
export async function watchStages(
  { console, answers }: { readonly console: string; readonly answers: string },
  signal: AbortSignal,
  onStage: OnStage,
): Promise<void> {
  const { look, now: current } = followStages();
  let since = performance.now();
  const tell = (name: string): void => {
    const now = performance.now();
    onStage(name, Math.round((now - since) / 100) / 10);
    since = now;
  };
  for (let [seen, over] = ['', false]; !over; ) {
    await pause(250, signal);
    over = signal.aborted;
    const sizes = `${await sizeOf(console)} ${await sizeOf(answers)}`;
    if (sizes !== seen) {
      seen = sizes;
      const given = parseAnswers((await readIfExists(answers)) ?? '').map(({ name }) => name);
      for (const name of look(await readConsole(console), given)) tell(name);
    }
    if (over) tell(current() === last ? last : `${current()}, not ended,`);
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? -1;
}

/** The console's text without the terminal's control sequences. */
export async function readConsole(path: string): Promise<string> {
  const text = (await readIfExists(path)) ?? '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control sequences are what is removed
  return text.replace(/\x1b(\[[0-9;?!]*[A-Za-z]|\][^\x07\x1b]*(\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[@-Z\\-_78])/g, '');
}
