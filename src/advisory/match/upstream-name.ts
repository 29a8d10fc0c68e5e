/** A package URL without version, qualifiers and subpath, in lower case; undefined if the text is none. */
export function nameOfPurl(text: string): string | undefined {
  const match = /^pkg:\/{0,2}([a-z][a-z0-9.+-]*)\/([^@?#\s]+)/i.exec(text.length > 2000 ? '' : text);
  if (match === null) return undefined;
  // npm's scopes begin with an encoded @.
  const path = decodedPart(match[2]!).replace(/\/+$/, '').toLowerCase();
  const type = match[1]!.toLowerCase();
  return `pkg:${type}/${type === 'pypi' ? path.replaceAll(/[-_.]+/g, '-') : path}`;
}

/** The version of a package URL, or undefined. Of type rpm with its epoch, which is a qualifier there. */
export function versionOfPurl(text: string): string | undefined {
  const version = /^[^?#]*\/[^?#]*@([^@?#/]+)(?:[?#]|$)/.exec(text.length > 2000 ? '' : text)?.[1];
  if (version === undefined) return undefined;
  const epoch = /^pkg:\/{0,2}rpm\/[^?#]*\?(?:[^#]*&)?epoch=(\d{1,9})(?:[&#]|$)/i.exec(text)?.[1];
  const decoded = decodedPart(version);
  return epoch === undefined || decoded.includes(':') ? decoded : `${epoch}:${decoded}`;
}

function decodedPart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Hosts where a project is the first two parts of a path, whatever follows. */
const forges = new Set(['github.com', 'codeberg.org', 'bitbucket.org']);

/**
 * The source repository of a URL as `host/path`, in lower case and without `.git`: of a page, a clone URL or a release's tarball.
 * Undefined for a URL that names none.
 */
export function repositoryOf(url: string): string | undefined {
  const match = /^(?:git\+)?(?:https?|git|ssh):\/\/(?:[^@/\s]*@)?([^/:\s]+)(?::\d+)?\/([^?#\s]*)/i.exec(
    url.length > 2000 ? '' : url,
  );
  if (match === null) return undefined;
  const host = match[1]!.toLowerCase();
  const path = match[2]!.toLowerCase();
  const parts = path.split('/').filter((part) => part !== '');
  if (forges.has(host)) {
    if (parts.length < 2 || parts.includes('..')) return undefined;
    return `${host}/${parts[0]}/${parts[1]!.replace(/\.git$/, '')}`;
  }
  // GitLab has groups of any depth; what is not the project stands behind /-/.
  const end = parts.indexOf('-');
  const isForge = /(^|\.)gitlab\./.test(host);
  const project = end < 0 ? parts : parts.slice(0, end);
  if (!path.includes('.git') && !isForge) return undefined;
  const last = project.findIndex((part) => part.endsWith('.git'));
  const kept = last < 0 ? project : project.slice(0, last + 1);
  return kept.length < 1 ? undefined : `${host}/${kept.join('/').replace(/\.git$/, '')}`;
}
