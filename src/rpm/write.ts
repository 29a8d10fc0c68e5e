import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { diskError, temporaryName } from '../base/files.ts';
import {
  append,
  type Digested,
  digested,
  type PackedFile,
  type PayloadFacts,
  writeAll,
  writeArchive,
} from './archive.ts';
import { compareBytes, dependencyBits, packageDependencies } from './dependencies.ts';
import { type HeaderValue, regions, serializeHeader } from './header.ts';
import { payloadLevel } from './payload.ts';
import { leadMagic, leadSize } from './read.ts';
import {
  dependencyTags,
  fileBits,
  fileTriggerTags,
  scriptletTags,
  signatureTag,
  tag,
  triggerBits,
  verifyAll,
  verifyGhost,
} from './tags.ts';
import type { Dependencies, FileFlags, FileTrigger, RpmSpec, RpmSpecFile, WrittenRpm } from './types.ts';
import { formatEvr } from './version.ts';

/** The rpm version whose output format this follows; recorded in RPMVERSION. */
const rpmVersion = '6.1.0';
/** Bytes reserved in the signature header, so that rpmsign can sign in place; the same number as rpmbuild. */
const reservedSpace = 4096 + 32;

/** A package whose payload is ready to be compressed. */
export interface PackedRpm {
  /** Path of the uncompressed payload. */
  readonly archive: string;
  /**
   * Writes the package atomically and creates its folder.
   * @param payload the archive, compressed by zstd with `payloadLevel`
   */
  readonly write: (out: string, payload: string) => Promise<WrittenRpm>;
}

/**
 * Makes a binary package in format 6, laid out as by rpm 6.1's rpmbuild. Two steps with the compression between them allow
 * many payloads to be compressed in one pass. Files may come in any order. Adds the dependencies that rpmbuild adds regardless
 * of file contents: `Provides` of the package itself, `config(…)`, the scriptlets' interpreters, `rpmlib(…)`. Equal specs give
 * equal bytes; memory use is bounded.
 * @param archive file to write the payload to
 * @throws WeirError `bad-package` for a contradictory spec, `unreadable-content` if a file's content cannot be read
 */
export async function packRpm(spec: RpmSpec, archive: string): Promise<PackedRpm> {
  checkNames(spec);
  const files = packFiles(spec);
  try {
    const unpacked = await writeArchive(archive, files);
    return { archive, write: (out, payload) => write(spec, files, unpacked, payload, out) };
  } catch (error) {
    await rm(archive, { force: true });
    throw diskError(error, archive);
  }
}

async function write(
  spec: RpmSpec,
  files: readonly PackedFile[],
  unpacked: Digested,
  payload: string,
  out: string,
): Promise<WrittenRpm> {
  const { size, digests } = await digested(payload);
  const facts = { size, digests, unpackedSize: unpacked.size, unpackedDigests: unpacked.digests };
  const bytes = front(spec, files, facts);
  await mkdir(dirname(out), { recursive: true });
  const temporary = temporaryName(out);
  try {
    const handle = await open(temporary, 'wx', 0o644);
    try {
      await writeAll(handle, bytes, 0);
      await append(handle, bytes.length, payload);
    } finally {
      await handle.close();
    }
    const digest = await fileDigest(temporary);
    await rename(temporary, out);
    return { path: out, digest, fileSize: bytes.length + size, size: totalSize(files) };
  } catch (error) {
    await rm(temporary, { force: true });
    throw diskError(error, out);
  }
}

function bad(spec: RpmSpec, message: string): WeirError {
  return new WeirError('bad-package', message, { where: { package: spec.name } });
}

function checkNames(spec: RpmSpec): void {
  if (!/^[\w.+-]+$/.test(spec.name)) throw bad(spec, `invalid package name '${spec.name}'`);
  for (const text of [spec.version, spec.release]) {
    if (!/^[\w.+~^]+$/.test(text)) throw bad(spec, `invalid version or release '${text}'`);
  }
  const kinds = (spec.scriptlets ?? []).map((scriptlet) => scriptlet.kind);
  const repeated = kinds.find((kind, index) => kinds.indexOf(kind) !== index);
  if (repeated !== undefined) throw bad(spec, `more than one %${repeated} scriptlet`);
  for (const { interpreter } of [...(spec.scriptlets ?? []), ...(spec.fileTriggers ?? [])]) {
    if (interpreter.length === 0) throw bad(spec, 'scriptlet without an interpreter');
  }
  for (const trigger of spec.fileTriggers ?? []) {
    if (trigger.prefixes.length === 0) throw bad(spec, 'file trigger without paths');
    if (trigger.interpreter.length > 1) throw bad(spec, "a file trigger's interpreter takes no arguments");
  }
}

/** The files in rpm's order (by the bytes of the path), with their hard-link sets resolved. */
function packFiles(spec: RpmSpec): PackedFile[] {
  const keyed = (spec.files ?? []).map((file) => ({ file, key: Buffer.from(file.path) }));
  keyed.sort((a, b) => Buffer.compare(a.key, b.key));
  const byPath = new Map<string, RpmSpecFile>();
  for (const { file } of keyed) {
    if (byPath.has(file.path)) throw bad(spec, `${file.path} is listed twice`);
    byPath.set(file.path, file);
  }
  const firsts = new Map<RpmSpecFile, number>();
  return keyed.map(({ file }, index) => {
    checkFile(spec, file);
    const owner = contentOwner(spec, file, byPath);
    const first = firsts.get(owner) ?? index;
    firsts.set(owner, first);
    return { file: owner === file ? file : linked(file, owner), first, ...known(file) };
  });
}

/** A member of a hard-link set with the attributes of the member that has the content: they share an inode. */
function linked(file: RpmSpecFile, owner: RpmSpecFile): RpmSpecFile {
  const { path, flags, verify } = file;
  return { ...owner, path, ...(flags === undefined ? {} : { flags }), ...(verify === undefined ? {} : { verify }) };
}

function known(file: RpmSpecFile): { size: number; digest: string; color: number } {
  if (file.kind === 'symlink') return { size: Buffer.byteLength(file.target!), digest: '', color: 0 };
  // placeholder of the final digest's width
  const digest = file.kind === 'file' && file.flags?.ghost !== true ? '0'.repeat(64) : '';
  return { size: 0, digest, color: 0 };
}

function contentOwner(spec: RpmSpec, file: RpmSpecFile, byPath: ReadonlyMap<string, RpmSpecFile>): RpmSpecFile {
  if (file.hardlink === undefined) return file;
  const owner = byPath.get(file.hardlink);
  if (owner?.kind !== 'file' || owner.hardlink !== undefined || owner.flags?.ghost === true || owner === file) {
    throw bad(spec, `${file.path} is a hard link to ${file.hardlink}, which is not a file with content`);
  }
  return owner;
}

function checkFile(spec: RpmSpec, file: RpmSpecFile): void {
  const { path, kind, flags } = file;
  if (path !== '/' && !/^(\/(?!\.{1,2}(\/|$))[^/\0]+)+$/.test(path))
    throw bad(spec, `'${path}' is not a normalised absolute path`);
  if ((kind === 'symlink') !== (file.target !== undefined)) throw bad(spec, `${path}: only symlinks have a target`);
  const holds = kind === 'file' && flags?.ghost !== true;
  const given = Number(file.content !== undefined) + Number(file.hardlink !== undefined);
  if (holds ? given !== 1 : given !== 0)
    throw bad(spec, `${path}: ${holds ? 'needs content or a hard link, not both' : 'must not have content'}`);
}

/** Everything before the payload: lead, signature header, main header. */
function front(spec: RpmSpec, files: readonly PackedFile[], facts: PayloadFacts): Buffer {
  const main = mainHeader(spec, files, facts);
  const signature = serializeHeader(
    new Map<number, HeaderValue>([
      [signatureTag.sha256, text(createHash('sha256').update(main).digest('hex'))],
      [signatureTag.sha3_256, text(createHash('sha3-256').update(main).digest('hex'))],
      [signatureTag.reserved, { type: 'binary', value: Buffer.alloc(reservedSpace) }],
    ]),
    regions.signature,
  );
  return Buffer.concat([lead(spec), signature, Buffer.alloc(-signature.length & 7), main]);
}

/** The historical first 96 bytes; only the magic number is still read. Layout: rpm's docs/manual/format_lead.md. */
function lead(spec: RpmSpec): Buffer {
  const bytes = Buffer.alloc(leadSize);
  leadMagic.copy(bytes);
  bytes[4] = 4;
  Buffer.from(`${spec.name}-${evrOf(spec)}`).copy(bytes, 10, 0, 65);
  bytes.writeUInt16BE(5, 78);
  return bytes;
}

function evrOf(spec: RpmSpec): string {
  return formatEvr({ epoch: spec.epoch ?? 0, version: spec.version, release: spec.release });
}

function text(value: string): HeaderValue {
  return { type: 'string', value };
}

function mainHeader(spec: RpmSpec, files: readonly PackedFile[], facts: PayloadFacts): Buffer {
  const header = new Map<number, HeaderValue>();
  const put = (number: number, value: HeaderValue): void => void header.set(number, value);
  const texts = (number: number, values: readonly string[]): void => put(number, { type: 'strings', values });
  const optional = (number: number, value: string | undefined): void => {
    if (value !== undefined && value !== '') put(number, text(value));
  };
  const sourceRpm = spec.sourceRpm ?? `${spec.name}-${spec.version}-${spec.release}.src.rpm`;
  texts(tag.headerI18nTable, ['C']);
  put(tag.name, text(spec.name));
  put(tag.version, text(spec.version));
  put(tag.release, text(spec.release));
  if ((spec.epoch ?? 0) !== 0) put(tag.epoch, { type: 'int32', values: [spec.epoch!] });
  put(tag.summary, { type: 'i18n', values: [spec.summary] });
  put(tag.description, { type: 'i18n', values: [spec.description] });
  put(tag.buildTime, { type: 'int32', values: [spec.buildTime] });
  put(tag.buildHost, text(spec.buildHost ?? 'localhost'));
  optional(tag.distribution, spec.distribution);
  optional(tag.vendor, spec.vendor);
  put(tag.license, text(spec.license));
  optional(tag.packager, spec.packager);
  put(tag.group, { type: 'i18n', values: [spec.group ?? 'Unspecified'] });
  optional(tag.url, spec.url);
  put(tag.os, text('linux'));
  put(tag.arch, text(spec.arch));
  put(tag.sourceRpm, text(sourceRpm));
  put(tag.rpmVersion, text(rpmVersion));
  optional(tag.bugUrl, spec.bugUrl);
  optional(tag.vcs, spec.vcs);
  put(tag.encoding, text('utf-8'));
  put(tag.sourceNevr, text(spec.sourceRpm?.replace(/\.src\.rpm$/, '') ?? `${spec.name}-${evrOf(spec)}`));
  putDependencies(header, packageDependencies(spec));
  putFiles(header, spec, files);
  for (const { kind, interpreter, script } of spec.scriptlets ?? []) {
    optional(scriptletTags[kind].body, script);
    const program: HeaderValue =
      interpreter.length === 1 ? text(interpreter[0]!) : { type: 'strings', values: interpreter };
    put(scriptletTags[kind].program, program);
  }
  for (const scope of ['file', 'trans'] as const) {
    putFileTriggers(
      header,
      scope,
      (spec.fileTriggers ?? []).filter((trigger) => trigger.scope === scope),
    );
  }
  const changes = spec.changelog ?? [];
  if (changes.length > 0) {
    put(tag.changelogTime, { type: 'int32', values: changes.map((change) => change.time) });
    texts(
      tag.changelogName,
      changes.map((change) => change.author),
    );
    texts(
      tag.changelogText,
      changes.map((change) => change.text),
    );
  }
  put(tag.payloadFormat, text('cpio'));
  put(tag.payloadCompressor, text('zstd'));
  put(tag.payloadFlags, text(String(payloadLevel)));
  put(tag.rpmFormat, { type: 'int32', values: [6] });
  put(tag.payloadSize, { type: 'int64', values: [facts.size] });
  put(tag.payloadSizeAlt, { type: 'int64', values: [facts.unpackedSize] });
  texts(tag.payloadSha256, [facts.digests.sha256]);
  texts(tag.payloadSha256Alt, [facts.unpackedDigests.sha256]);
  put(tag.payloadSha512, text(facts.digests.sha512));
  put(tag.payloadSha512Alt, text(facts.unpackedDigests.sha512));
  put(tag.payloadSha3_256, text(facts.digests.sha3_256));
  put(tag.payloadSha3_256Alt, text(facts.unpackedDigests.sha3_256));
  return serializeHeader(header, regions.main);
}

function putDependencies(header: Map<number, HeaderValue>, dependencies: Dependencies): void {
  for (const kind of Object.keys(dependencyTags) as (keyof Dependencies)[]) {
    const list = dependencies[kind];
    if (list.length === 0) continue;
    const tags = dependencyTags[kind];
    header.set(tags.name, { type: 'strings', values: list.map((dependency) => dependency.name) });
    header.set(tags.version, { type: 'strings', values: list.map((dependency) => dependency.evr ?? '') });
    header.set(tags.flags, { type: 'int32', values: list.map(dependencyBits) });
  }
}

const kindBits = { file: 0o10_0000, directory: 0o04_0000, symlink: 0o12_0000 } as const;

function putFiles(header: Map<number, HeaderValue>, spec: RpmSpec, files: readonly PackedFile[]): void {
  const texts = (number: number, of: (packed: PackedFile, index: number) => string): void =>
    void header.set(number, { type: 'strings', values: files.map(of) });
  const numbers = (
    type: 'int16' | 'int32' | 'int64',
    number: number,
    of: (packed: PackedFile, index: number) => number,
  ): void => void header.set(number, { type, values: files.map(of) });
  header.set(tag.longSize, { type: 'int64', values: [totalSize(files)] });
  header.set(tag.fileDigestAlgo, { type: 'int32', values: [8] });
  if (files.length === 0) return;
  const folders = new Map<string, number>();
  const folderIndexes = files.map(({ file }) => {
    const folder = file.path.slice(0, file.path.lastIndexOf('/') + 1);
    if (!folders.has(folder)) folders.set(folder, folders.size);
    return folders.get(folder)!;
  });
  numbers('int16', tag.fileModes, ({ file }) => kindBits[file.kind] | file.mode);
  numbers('int16', tag.fileRdevs, () => 0);
  numbers('int32', tag.fileMtimes, ({ file }) => file.mtime ?? spec.buildTime);
  texts(tag.fileDigests, ({ digest }) => digest);
  texts(tag.fileLinkTos, ({ file }) => file.target ?? '');
  numbers('int32', tag.fileFlags, ({ file }) => flagBits(file));
  texts(tag.fileUserName, ({ file }) => file.user ?? 'root');
  texts(tag.fileGroupName, ({ file }) => file.group ?? 'root');
  numbers('int32', tag.fileVerifyFlags, ({ file }) => {
    const verify = file.verify ?? verifyAll;
    return (file.flags?.ghost === true ? verify & verifyGhost : verify) >>> 0;
  });
  numbers('int32', tag.fileDevices, ({ file }) => (file.flags?.ghost === true ? 0 : 1));
  numbers('int32', tag.fileInodes, ({ first }) => first + 1);
  texts(tag.fileLangs, () => '');
  header.set(tag.dirIndexes, { type: 'int32', values: folderIndexes });
  texts(tag.baseNames, ({ file }) => file.path.slice(file.path.lastIndexOf('/') + 1));
  header.set(tag.dirNames, { type: 'strings', values: [...folders.keys()] });
  numbers('int32', tag.fileColors, ({ color }) => color);
  numbers('int64', tag.longFileSizes, ({ size }) => size);
  if (files.some(({ file }) => file.capabilities !== undefined)) {
    texts(tag.fileCaps, ({ file }) => file.capabilities ?? '');
  }
}

/** Sum of sizes; a hard-link set counts once. */
function totalSize(files: readonly PackedFile[]): number {
  return files.reduce((sum, { size, first }, index) => sum + (first === index ? size : 0), 0);
}

function flagBits(file: RpmSpecFile): number {
  const flags: FileFlags = file.flags ?? {};
  const own = file.kind !== 'directory';
  return (
    (own && flags.config !== undefined ? fileBits.config : 0) |
    (own && flags.config === 'noreplace' ? fileBits.noreplace : 0) |
    (own && flags.doc ? fileBits.doc : 0) |
    (own && flags.license ? fileBits.license : 0) |
    (flags.readme ? fileBits.readme : 0) |
    (flags.ghost ? fileBits.ghost : 0) |
    (flags.missingok ? fileBits.missingok : 0) |
    (flags.artifact ? fileBits.artifact : 0)
  );
}

function putFileTriggers(
  header: Map<number, HeaderValue>,
  scope: FileTrigger['scope'],
  triggers: readonly FileTrigger[],
): void {
  if (triggers.length === 0) return;
  const tags = fileTriggerTags[scope];
  const conditions = triggers
    .flatMap(({ prefixes, when }, index) => prefixes.map((name) => ({ name, index, bits: triggerBits[when] })))
    .sort((a, b) => compareBytes(a.name, b.name) || a.index - b.index);
  header.set(tags.script, { type: 'strings', values: triggers.map(({ script }) => script) });
  header.set(tags.program, { type: 'strings', values: triggers.map(({ interpreter }) => interpreter[0]!) });
  header.set(tags.priority, { type: 'int32', values: triggers.map(({ priority }) => priority) });
  header.set(tags.name, { type: 'strings', values: conditions.map(({ name }) => name) });
  header.set(tags.index, { type: 'int32', values: conditions.map(({ index }) => index) });
  header.set(tags.version, { type: 'strings', values: conditions.map(() => '') });
  header.set(tags.flags, { type: 'int32', values: conditions.map(({ bits }) => bits) });
}
