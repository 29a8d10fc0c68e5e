import type { Statement } from '../statements.ts';
import { atom, atomFile } from './atom.ts';
import { type FeedContext, feedFolder, toldOf } from './context.ts';
import { csaf } from './csaf.ts';
import { csafFolder } from './csaf-folder.ts';
import { openvex, openvexFile } from './openvex.ts';
import { osv } from './osv.ts';
import { oval, ovalFile } from './oval.ts';
import { updateinfo } from './updateinfo.ts';

/** All feeds of a snapshot. */
export interface FeedFiles {
  /** Channel → its updateinfo.xml. */
  readonly updateinfo: ReadonlyMap<string, string>;
  /** Path in the snapshot → text. */
  readonly files: ReadonlyMap<string, string>;
  /** Paths of those that get an OpenPGP signature beside them, `.asc`. */
  readonly signed: readonly string[];
}

/**
 * Prints statements in all formats. A format has no file if it cannot say any of them.
 * @param channels names; each gets an updateinfo.xml, even without a fix
 * @param fingerprint of the OpenPGP key of the repository
 */
export function feedFiles(
  context: FeedContext,
  statements: readonly Statement[],
  channels: readonly string[],
  fingerprint: string,
): FeedFiles {
  const told = toldOf(statements);
  const files = new Map<string, string>();
  const put = (path: string, text: string | undefined): void => {
    if (text !== undefined) files.set(`${feedFolder}/${path}`, text);
  };
  const documents = told.map((each) => csaf(context, each));
  for (const [path, text] of csafFolder(context, documents, fingerprint)) put(`csaf/${path}`, text);
  for (const each of told) {
    const made = osv(context, each);
    if (made !== undefined) put(`osv/${made.id}.json`, made.text);
  }
  put(openvexFile, openvex(context, told));
  put(ovalFile, oval(context, told));
  put(atomFile, atom(context, told));
  return {
    updateinfo: new Map(channels.map((channel) => [channel, updateinfo(context, told, channel)])),
    files,
    signed: documents.map(({ path }) => `${feedFolder}/csaf/${path}`),
  };
}
