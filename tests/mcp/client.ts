import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { launcher } from '../cli/weir.ts';

export type Message = Readonly<Record<string, unknown>>;

/** The text parts of a tool's answer. */
export interface ToolAnswer {
  readonly content: readonly { readonly type: string; readonly text: string }[];
  readonly isError?: boolean;
}

/** A client that knows nothing of the server's library: JSON-RPC 2.0, one message a line. */
export class Client {
  readonly child: ChildProcess;
  /** Every line that the server wrote. */
  readonly lines: string[] = [];
  stderr = '';
  #rest = '';
  #id = 0;
  readonly #waiting = new Map<number, (message: Message) => void>();

  constructor(
    words: readonly string[],
    options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
  ) {
    this.child = spawn(launcher, words, {
      cwd: options.cwd,
      env: { PATH: process.env.PATH ?? '', ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
  }

  #read(text: string): void {
    const [first = '', ...more] = `${this.#rest}${text}`.split('\n');
    const lines = [first, ...more];
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      this.lines.push(line);
      const message = JSON.parse(line) as Message;
      if (typeof message.id === 'number') this.#waiting.get(message.id)?.(message);
    }
  }

  raw(line: string): void {
    this.child.stdin!.write(`${line}\n`);
  }

  notify(method: string, params: Message = {}): void {
    this.raw(JSON.stringify({ jsonrpc: '2.0', method, params }));
  }

  /** The id of the next request. */
  get next(): number {
    return this.#id + 1;
  }

  /** Sends a request. @returns the whole response */
  ask(method: string, params: Message = {}): Promise<Message> {
    const id = ++this.#id;
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve));
    this.raw(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    return answer;
  }

  /** The handshake of the revisions before 2026-07-28. @returns the server's answer */
  async open(protocolVersion: string): Promise<Message> {
    const { result } = await this.ask('initialize', {
      protocolVersion,
      capabilities: {},
      clientInfo: { name: 'test', version: '1' },
    });
    this.notify('notifications/initialized');
    return result as Message;
  }

  async call(name: string, given: Message = {}): Promise<ToolAnswer> {
    const { result } = await this.ask('tools/call', { name, arguments: given });
    return result as ToolAnswer;
  }

  /** Closes stdin. @returns exit code, or the signal */
  async close(): Promise<number | string> {
    this.child.stdin!.end();
    return this.ended();
  }

  async ended(): Promise<number | string> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'close');
    return this.child.exitCode ?? this.child.signalCode!;
  }
}
