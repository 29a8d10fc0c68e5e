import { isIP } from 'node:net';
import { WeirError } from '../base/errors.ts';

/** `host[:port]/repository[:tag]`, parsed. */
export interface ImageReference {
  /** As written, but always `docker.io` for Docker Hub. */
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
}

/** Docker Hub's name in image references. It is a web site: the registry has another host. */
export const dockerHub = 'docker.io';

/** Host of Docker Hub's registry. */
const dockerHubRegistry = 'registry-1.docker.io';

/** The host to contact for a registry, with its port if any. */
export function registryHost(registry: string): string {
  return registry === dockerHub ? dockerHubRegistry : registry;
}

/** Whether a host is Docker Hub: its own name, that of its old index, or that of its registry. */
export function isDockerHub(host: string): boolean {
  return [dockerHub, 'index.docker.io', dockerHubRegistry].includes(host.toLowerCase().replace(/:443$/, ''));
}

/** Whether a registry is on this machine. @param registry `host[:port]` */
export function isLoopback(registry: string): boolean {
  const name = URL.parse(`http://${registry}`)?.hostname ?? '';
  return name === 'localhost' || name === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(name);
}

/** In characters. A host and a repository have at most 255 each, a tag 128. Longer input would be slow to match. */
const longestReference = 1024;

const tagWord = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}';
const tagGrammar = new RegExp(`^${tagWord}$`);
const referenceGrammar = new RegExp(`^([^/@]+)/([^@]+?)(?::(${tagWord}))?$`);
const repositoryGrammar = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/** @param tagByDefault tag of a reference without one @throws WeirError `bad-reference` (exit 2) */
export function parseReference(text: string, tagByDefault = 'latest'): ImageReference {
  const match = text.length > longestReference ? null : referenceGrammar.exec(text);
  const [, registry = '', repository = '', tag = tagByDefault] = match ?? [];
  const host = /^(?:localhost|\[[0-9a-f:.]+\]|[a-z0-9-]+(?:\.[a-z0-9-]+)+|[a-z0-9-]+(?=:))(?::\d+)?$/i.test(registry);
  if (match === null || !host || !repositoryGrammar.test(repository)) {
    throw new WeirError(
      'bad-reference',
      `invalid image reference ${text === '' ? '""' : text.slice(0, longestReference)}`,
      {
        hint: 'use the form registry.example.org/folder/name:tag, in lower case',
        exit: 2,
      },
    );
  }
  const [, name = '', port] = /^(.*?)(?::(\d+))?$/.exec(registry) ?? [];
  if (!isHost(name)) {
    throw new WeirError('bad-reference', `invalid image reference ${text}: ${name} is not a host name or IP address`, {
      hint: 'write the host as registry.example.org, 192.0.2.1 or [2001:db8::1], with :PORT if needed',
      exit: 2,
    });
  }
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) {
    throw new WeirError('bad-reference', `invalid image reference ${text}: invalid port ${port}`, {
      hint: 'use a port from 1 to 65535',
      exit: 2,
    });
  }
  // The default tag is a version, which may contain characters that a tag may not.
  if (!tagGrammar.test(tag)) {
    throw new WeirError('bad-reference', `${text} has no tag, and ${tag} is not a valid tag`, {
      hint: `write the tag: ${text}:TAG`,
      exit: 2,
    });
  }
  if (!isDockerHub(registry)) return { registry, repository, tag };
  // References without a folder are official images, which are in library/.
  return { registry: dockerHub, repository: repository.includes('/') ? repository : `library/${repository}`, tag };
}

/** RFC 1123, 2.1. URLs treat a name whose last label is a number as an IP address. */
function isHost(name: string): boolean {
  if (name.startsWith('[')) return isIP(name.slice(1, -1)) === 6;
  const labels = name.split('.');
  if (/^(?:\d+|0x[0-9a-f]*)$/i.test(labels.at(-1)!)) return isIP(name) === 4;
  const named = labels.every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(label));
  return named && name.length <= 253;
}
