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

  const stage = (name: string): Stage => {
    const started = performance.now();
    let text = '';
    let frame = 0;
    const draw = (): void => {
      frame = (frame + 1) % frames.length;
      write(`${erase}${paint(36, frames[frame]!)} ${name.padEnd(12)} ${text}`);
    };
    const timer = mode === 'spinner' ? setInterval(draw, 100) : undefined;
    timer?.unref();
    if (mode === 'json') write(`${JSON.stringify({ stage: name, state: 'started' })}\n`);
    return {
      update: (latest) => {
        text = latest;
      },
      note: (line) => note(name, line),
      done: (summary, cached) => {
        clearInterval(timer);
        const seconds = Math.round((performance.now() - started) / 10) / 100;
        finished.push({ name, summary, seconds, cached });
        if (mode === 'json') write(`${JSON.stringify({ stage: name, state: 'done', summary, seconds, cached })}\n`);
        else if (mode !== 'quiet') {
          const time = cached ? paint(2, 'cached') : `${seconds.toFixed(1)} s`;
          write(`${erase}${paint(32, '✓')} ${name.padEnd(12)} ${summary} ${paint(2, '·')} ${time}\n`);
        }
      },
      failed: () => {
        clearInterval(timer);
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
