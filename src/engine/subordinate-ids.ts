import { existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';

/** A range of ids of the host. */
export interface IdRange {
  readonly first: number;
  readonly count: number;
}

/** The largest number of ids that a step maps: as many as a system has ordinary ids. */
const most = 65_536;

/** Subordinate ids of this user, the same for users and groups, if newuidmap can map them (subuid(5)). */
export function subordinateIds(): IdRange | undefined {
  const programs = ['newuidmap', 'newgidmap'].every((name) =>
    ['/usr/bin', '/bin'].some((dir) => existsSync(`${dir}/${name}`)),
  );
  if (!programs) return undefined;
  const { username, uid } = userInfo();
  const users = parseSubordinates(textOf('/etc/subuid'), username, uid);
  const groups = parseSubordinates(textOf('/etc/subgid'), username, uid);
  return users.find(({ first, count }) => groups.some((group) => group.first === first && group.count >= count));
}

/** The ranges of a user in a subuid(5) file: lines of name or id, first id, count. */
export function parseSubordinates(text: string, name: string, uid: number): IdRange[] {
  return text.split('\n').flatMap((line) => {
    const [user, first = '', count = ''] = line.trim().split(':');
    if ((user !== name && user !== String(uid)) || !/^\d+$/.test(first) || !/^[1-9]\d*$/.test(count)) return [];
    return [{ first: Number(first), count: Math.min(Number(count), most - 1) }];
  });
}

function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
