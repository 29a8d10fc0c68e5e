/** How progress is shown: a spinner on a terminal, plain lines in a log, JSON lines for programs, or nothing. */
export type ProgressMode = 'spinner' | 'plain' | 'json' | 'quiet';

/** One stage of the work, reported in one line when it is done. */
export interface Stage {
  /** Sets the current activity; shown only where lines can be rewritten. */
  readonly update: (text: string) => void;
  /** Shows something the user should know although the work continues. */
  readonly note: (text: string) => void;
  /** @param summary what was done, with counts; @param cached whether there was nothing to do */
  readonly done: (summary: string, cached: boolean) => void;
  readonly failed: () => void;
}

export interface FinishedStage {
  readonly name: string;
  readonly summary: string;
  readonly seconds: number;
  readonly cached: boolean;
}

export interface Progress {
  readonly stage: (name: string) => Stage;
  /** Shows something the user should know that belongs to no stage. @param name the subject */
  readonly note: (name: string, text: string) => void;
  /** Every finished stage, in order. */
  readonly finished: readonly FinishedStage[];
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** @param write receives the output, normally standard error */
export function createProgress(mode: ProgressMode, color: boolean, write: (text: string) => void): Progress {
  const finished: FinishedStage[] = [];
  const paint = (code: number, text: string): string => (color ? `\u001b[${code}m${text}\u001b[0m` : text);
  const erase = mode === 'spinner' ? '\r\u001b[2K' : '';

  const note = (name: string, line: string): void => {
    if (mode === 'json') write(`${JSON.stringify({ stage: name, note: line })}\n`);
    else if (mode !== 'quiet') write(`${erase}  ${name}: ${line}\n`);
  };

  /** Stages that have begun; all share one line. */
  const active = new Set<{ readonly name: string; text: string }>();
  let frame = 0;
  let timer: NodeJS.Timeout | undefined;
  const draw = (): void => {
    frame = (frame + 1) % frames.length;
    const texts = [...active].map(({ name, text }) => `${name.padEnd(12)} ${text}`);
    write(`${erase}${paint(36, frames[frame]!)} ${texts.join('  ')}`);
  };

  const stage = (name: string): Stage => {
    const started = performance.now();
    const own = { name, text: '' };
    active.add(own);
    if (mode === 'spinner' && timer === undefined) {
      timer = setInterval(draw, 100);
      timer.unref();
    }
    const end = (): void => {
      active.delete(own);
      if (active.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    };
    if (mode === 'json') write(`${JSON.stringify({ stage: name, state: 'started' })}\n`);
    return {
      update: (latest) => {
        own.text = latest;
      },
      note: (line) => note(name, line),
      done: (summary, cached) => {
        end();
        const seconds = Math.round((performance.now() - started) / 10) / 100;
        finished.push({ name, summary, seconds, cached });
        if (mode === 'json') write(`${JSON.stringify({ stage: name, state: 'done', summary, seconds, cached })}\n`);
        else if (mode !== 'quiet') {
          const time = cached ? paint(2, 'cached') : `${seconds.toFixed(1)} s`;
          write(`${erase}${paint(32, '✓')} ${name.padEnd(12)} ${summary} ${paint(2, '·')} ${time}\n`);
        }
      },
      failed: () => {
        end();
        if (mode === 'json') write(`${JSON.stringify({ stage: name, state: 'failed' })}\n`);
        else if (mode !== 'quiet') write(`${erase}${paint(31, '✗')} ${name}\n`);
      },
    };
  };
  return { stage, note, finished };
}

/** Runs a stage; its line is written when `work` ends, whatever the outcome. */
export async function inStage<T>(
  progress: Progress,
  name: string,
  work: (stage: Stage) => Promise<{ readonly result: T; readonly summary: string; readonly cached: boolean }>,
): Promise<T> {
  const stage = progress.stage(name);
  try {
    const { result, summary, cached } = await work(stage);
    stage.done(summary, cached);
    return result;
  } catch (error) {
    stage.failed();
    throw error;
  }
}

/** Formats a number of bytes as megabytes. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e6 ? 3 : 1)} MB`;
}

/** A difference in bytes for people: `+512 bytes`, `-1.5 MB`. */
export function signedSize(bytes: number): string {
  const size = Math.abs(bytes);
  return `${bytes < 0 ? '-' : '+'}${size < 10_000 ? `${size} bytes` : megabytes(size)}`;
}
