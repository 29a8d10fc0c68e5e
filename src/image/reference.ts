import { isIP } from 'node:net';
import { WeirError } from '../base/errors.ts';

/** `host[:port]/repository[:tag]`, taken apart. */
export interface ImageReference {
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
}

const tagWord = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}';
const tagGrammar = new RegExp(`^${tagWord}$`);
const referenceGrammar = new RegExp(`^([^/@]+)/([^@]+?)(?::(${tagWord}))?$`);
const repositoryGrammar = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/** @param tagByDefault what one without a tag gets @throws WeirError `bad-reference` (exit 2) */
export function parseReference(text: string, tagByDefault = 'latest'): ImageReference {
  const match = referenceGrammar.exec(text);
  const [, registry = '', repository = '', tag = tagByDefault] = match ?? [];
  const host = /^(?:localhost|\[[0-9a-f:.]+\]|[a-z0-9-]+(?:\.[a-z0-9-]+)+|[a-z0-9-]+(?=:))(?::\d+)?$/i.test(registry);
  if (match === null || !host || !repositoryGrammar.test(repository)) {
    throw new WeirError('bad-reference', `${text === '' ? '""' : text} is no name of an image in a registry`, {
      hint: 'it is written registry.example.org/folder/name:tag, in lower case',
      exit: 2,
    });
  }
  const [, name = '', port] = /^(.*?)(?::(\d+))?$/.exec(registry) ?? [];
  if (!isHost(name)) {
    throw new WeirError('bad-reference', `${text}: ${name} is neither a name nor an address of a host`, {
      hint: 'it is written registry.example.org, 192.0.2.1 or [2001:db8::1], with :PORT where it has one',
      exit: 2,
    });
  }
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) {
    throw new WeirError('bad-reference', `${text}: ${port} is no port`, { hint: 'ports are 1 to 65535', exit: 2 });
  }
  // What stands in for a tag is a version, and versions may hold more.
  if (!tagGrammar.test(tag)) {
    throw new WeirError('bad-reference', `${text} is without a tag, and ${tag} cannot be one`, {
      hint: `write the tag: ${text}:TAG`,
      exit: 2,
    });
  }
  return { registry, repository, tag };
}

/** RFC 1123, 2.1; a name whose last word is a number is an address to URLs, whatever comes of it. */
function isHost(name: string): boolean {
  if (name.startsWith('[')) return isIP(name.slice(1, -1)) === 6;
  const labels = name.split('.');
  if (/^(?:\d+|0x[0-9a-f]*)$/i.test(labels.at(-1)!)) return isIP(name) === 4;
  const named = labels.every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(label));
  return named && name.length <= 253;
}
