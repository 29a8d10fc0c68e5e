import { open, rm } from 'node:fs/promises';
import { sha256 } from '../base/digest.ts';
import { diskError } from '../base/files.ts';
import { writeAll } from './archive.ts';
import { type Header, type HeaderValue, headerNumbers, headerTexts, regions, serializeHeader } from './header.ts';
import { leadSize, naming, readRpmHeaders } from './read.ts';
import { type PackageScript, packageScripts, readFileTriggers, readScriptlets, readTriggers } from './scripts.ts';
import { fileTriggerTags, scriptletTags, signatureTag, triggerTags } from './tags.ts';

/**
 * Writes a copy of a package without some of its scripts, for installations where finalisers do the scripts' work. The copy has no signature.
 * @param drop whether a script is left out
 * @returns whether a script was left out; if not, no copy is written
 */
export function stripScripts(path: string, out: string, drop: (script: PackageScript) => boolean): Promise<boolean> {
  return naming(path, async () => {
    const { main, payloadOffset, fileSize } = await readRpmHeaders(path);
    const stripped = withoutScripts(main, drop);
    if (stripped === undefined) return false;
    const header = serializeHeader(stripped, regions.main);
    const digest: HeaderValue = { type: 'string', value: sha256(header) };
    const signature = serializeHeader(new Map([[signatureTag.sha256, digest]]), regions.signature);
    const padding = Buffer.alloc(-signature.length & 7);
    const from = await open(path, 'r');
    const to = await open(out, 'wx', 0o644);
    try {
      const lead = Buffer.alloc(leadSize);
      await from.read(lead, 0, leadSize, 0);
      let at = 0;
      for (const part of [lead, signature, padding, header]) {
        await writeAll(to, part, at);
        at += part.length;
      }
      const block = Buffer.allocUnsafe(1 << 20);
      for (let offset = payloadOffset; offset < fileSize; ) {
        const { bytesRead } = await from.read(block, 0, block.length, offset);
        if (bytesRead === 0) break;
        await writeAll(to, block.subarray(0, bytesRead), at);
        at += bytesRead;
        offset += bytesRead;
      }
    } catch (error) {
      await rm(out, { force: true });
      throw diskError(error, out);
    } finally {
      await from.close();
      await to.close();
    }
    return true;
  });
}

/** The header without the scripts to drop; undefined if there are none. */
export function withoutScripts(main: Header, drop: (script: PackageScript) => boolean): Header | undefined {
  const stripped = new Map(main);
  const none = { scriptlets: [], triggers: [], fileTriggers: [] };
  let changed = false;
  for (const scriptlet of readScriptlets(main)) {
    if (!packageScripts({ ...none, scriptlets: [scriptlet] }).some(drop)) continue;
    const { body, program, flags } = scriptletTags[scriptlet.kind];
    for (const number of [body, program, flags]) stripped.delete(number);
    changed = true;
  }
  const lists = [
    [triggerTags, packageScripts({ ...none, triggers: readTriggers(main) })],
    ...(['file', 'trans'] as const).map(
      (scope) =>
        [fileTriggerTags[scope], packageScripts({ ...none, fileTriggers: readFileTriggers(main, scope) })] as const,
    ),
  ] as const;
  for (const [tags, scripts] of lists) {
    const dropped = scripts.map(drop);
    if (!dropped.includes(true)) continue;
    changed = true;
    // Conditions name scripts by index, so a script stays as one that does nothing and needs no program.
    const replaced = (number: number, by: string): HeaderValue => ({
      type: 'strings',
      values: headerTexts(main, number).map((text, index) => (dropped[index] === true ? by : text)),
    });
    stripped.set(tags.script, replaced(tags.script, '--'));
    stripped.set(tags.program, replaced(tags.program, '<lua>'));
    if (main.has(tags.scriptFlags)) {
      const values = headerNumbers(main, tags.scriptFlags).map((flags, index) => (dropped[index] === true ? 0 : flags));
      stripped.set(tags.scriptFlags, { type: 'int32', values });
    }
  }
  return changed ? stripped : undefined;
}
