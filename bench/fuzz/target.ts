/** A reader with valid sample inputs. */
export interface Target {
  readonly name: string;
  /** Real inputs. @param work the target's own folder */
  readonly samples: (work: string) => Promise<readonly Buffer[]>;
  /** Makes checksums valid again, so that mutations get past them. */
  readonly repair?: (input: Buffer) => Buffer;
  /** Reads the whole input. @param work a folder, for readers of files */
  readonly read: (input: Buffer, work: string) => Promise<unknown> | unknown;
}
