import { cveMentions } from '../upstream/cve.ts';
import type { AppliedOverlay } from './contents.ts';

/** CVE numbers that an overlay's reason, links and files name, sorted. */
export function overlayCves({
  description,
  bugs = [],
  commits = [],
  files = [],
}: Pick<AppliedOverlay, 'description' | 'bugs' | 'commits' | 'files'>): string[] {
  const found = cveMentions({ message: [description, ...bugs, ...commits, ...files], changelog: [], patch: [] });
  return found.map(({ id }) => id);
}
