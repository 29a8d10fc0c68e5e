import { isIP } from 'node:net';
import { WeirError } from '../base/errors.ts';

/** `host[:port]/repository[:tag]`, taken apart. */
export interface ImageReference {
  /** As it was written; `docker.io` whatever Docker Hub was called. */
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
}

/** Docker Hub's name in those of images. It is a web site: the registry answers elsewhere. */
export const dockerHub = 'docker.io';

/** Where Docker Hub's registry answers. */
const dockerHubRegistry = 'registry-1.docker.io';

/** The host that a registry of this name answers at, with its port where it has one. */
export function registryHost(registry: string): string {
  return registry === dockerHub ? dockerHubRegistry : registry;
}

/** The names that Docker Hub goes by: its own, that of its old index, and its registry's. */
export function isDockerHub(host: string): boolean {
  return [dockerHub, 'index.docker.io', dockerHubRegistry].includes(host.toLowerCase().replace(/:443$/, ''));
}

/** Whether a registry is on this machine. @param registry `host[:port]` */
export function isLoopback(registry: string): boolean {
  const name = URL.parse(`http://${registry}`)?.hostname ?? '';
  return name === 'localhost' || name === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(name);
}

/** In characters: a host and a repository have 255 each at most, a tag 128. What is longer would take its time. */
const longestReference = 1024;

const tagWord = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}';
const tagGrammar = new RegExp(`^${tagWord}$`);
const referenceGrammar = new RegExp(`^([^/@]+)/([^@]+?)(?::(${tagWord}))?$`);
const repositoryGrammar = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/** @param tagByDefault what one without a tag gets @throws WeirError `bad-reference` (exit 2) */
export function parseReference(text: string, tagByDefault = 'latest'): ImageReference {
  const match = text.length > longestReference ? null : referenceGrammar.exec(text);
  const [, registry = '', repository = '', tag = tagByDefault] = match ?? [];
  const host = /^(?:localhost|\[[0-9a-f:.]+\]|[a-z0-9-]+(?:\.[a-z0-9-]+)+|[a-z0-9-]+(?=:))(?::\d+)?$/i.test(registry);
  if (match === null || !host || !repositoryGrammar.test(repository)) {
    throw new WeirError(
      'bad-reference',
      `${text === '' ? '""' : text.slice(0, longestReference)} is no name of an image in a registry`,
      {
        hint: 'it is written registry.example.org/folder/name:tag, in lower case',
        exit: 2,
      },
    );
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
  if (!isDockerHub(registry)) return { registry, repository, tag };
  // Its images without a folder are the official ones, which have one all the same.
  return { registry: dockerHub, repository: repository.includes('/') ? repository : `library/${repository}`, tag };
}

/** RFC 1123, 2.1; a name whose last word is a number is an address to URLs, whatever comes of it. */
function isHost(name: string): boolean {
  if (name.startsWith('[')) return isIP(name.slice(1, -1)) === 6;
  const labels = name.split('.');
  if (/^(?:\d+|0x[0-9a-f]*)$/i.test(labels.at(-1)!)) return isIP(name) === 4;
  const named = labels.every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(label));
  return named && name.length <= 253;
}
