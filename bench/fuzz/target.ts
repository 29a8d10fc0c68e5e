/** A reader with inputs that it reads well. */
export interface Target {
  readonly name: string;
  /** Real inputs. @param work a folder of the target's own */
  readonly samples: (work: string) => Promise<readonly Buffer[]>;
  /** Makes checksums right again, so that changes get further than those. */
  readonly repair?: (input: Buffer) => Buffer;
  /** Reads all that can be read of the input. @param work the folder, for readers of files */
  readonly read: (input: Buffer, work: string) => Promise<unknown> | unknown;
}
