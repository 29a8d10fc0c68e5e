import { type Place, WeirError } from '../base/errors.ts';
import type { SetupGroup, SetupUser } from '../project/model/image.ts';

/** The four account files, by their names in /etc (passwd(5), group(5), shadow(5), gshadow(5)). */
export type AccountFiles = Readonly<Record<'passwd' | 'group' | 'shadow' | 'gshadow', string>>;

/** Ids for accounts of people, as in Fedora's login.defs. */
const people = { first: 1000, last: 60_000 } as const;

/** Groups and accounts to add or change. */
export interface NewAccounts {
  readonly groups?: readonly SetupGroup[];
  readonly users: readonly SetupUser[];
}

/**
 * Adds groups, and accounts with the groups that they need, like groupadd(8), useradd(8) and usermod(8). A new account without a
 * primary group gets one of its own name; a password is that of the account or none. Numbers that are asked for are not given to
 * others.
 * @param day of the last change of passwords, in days since 1970 @param shell of a new account that names none
 * @throws WeirError `invalid-account` (exit 2) with the place of the group or account
 */
export function withAccounts(
  files: AccountFiles,
  { groups: newGroups = [], users }: NewAccounts,
  day: number,
  shell: string,
): AccountFiles {
  const passwd = table(files.passwd);
  const group = table(files.group);
  const shadow = table(files.shadow);
  const gshadow = table(files.gshadow);
  const asked = new Set([...newGroups, ...users].map(({ id }) => id));
  const has = (rows: readonly string[][], id: number): boolean => rows.some((row) => Number(row[2]) === id);
  const free = (rows: readonly string[][], wanted: number | undefined, place: Place | undefined): number => {
    if (wanted !== undefined && !has(rows, wanted)) return wanted;
    for (let id = people.first; id <= people.last; id++) if (!has(rows, id) && !asked.has(id)) return id;
    throw refused(
      'the image has no free id for an account',
      place,
      `those of people are ${people.first} to ${people.last}`,
    );
  };
  const groupOf = (name: string, number: number | undefined, place: Place | undefined, wanted?: number): string[] => {
    const known = find(group, name);
    if (known !== undefined) {
      if (number === undefined || Number(known[2]) === number) return known;
      throw refused(`group ${name} has the id ${known[2]}, not ${number}`, place);
    }
    const other = number === undefined ? undefined : group.find((row) => Number(row[2]) === number);
    if (other !== undefined) throw refused(`the id ${number} of group ${name} is in use: by group ${other[0]}`, place);
    const row = [name, 'x', String(number ?? free(group, wanted, place)), ''];
    group.push(row);
    gshadow.push([name, '!', '', '']);
    return row;
  };
  const groupNamed = (text: string, place: Place | undefined, wanted?: number): string[] => {
    const [name, number] = text.split(':') as [string, string?];
    return groupOf(name, number === undefined ? undefined : Number(number), place, wanted);
  };
  for (const { name, id, place } of newGroups) groupOf(name, id, place);
  for (const account of users) {
    const { name, groups, memberOf = [], home, fullName, passwordHash, passwordDays, place } = account;
    const known = find(passwd, name);
    const other = passwd.find((row) => row[0] !== name && Number(row[2]) === account.id);
    if (other !== undefined) {
      throw refused(`the id ${account.id} of user ${name} is in use: by user ${other[0]}`, place);
    }
    const id = account.id ?? (known === undefined ? free(passwd, undefined, place) : Number(known[2]));
    const [primary, ...others] = groups;
    const isOwn = primary !== undefined || known === undefined;
    const gid = isOwn ? groupNamed(primary ?? name, place, id)[2]! : known[3]!;
    const row = [
      name,
      'x',
      String(id),
      gid,
      fullName ?? known?.[4] ?? '',
      home ?? known?.[5] ?? `/home/${name}`,
      account.shell ?? known?.[6] ?? shell,
    ];
    replace(passwd, row);
    for (const each of [...others, ...memberOf]) addMember(groupNamed(each, place), gshadow, name);
    const secret = find(shadow, name);
    const hash = passwordHash ?? secret?.[1] ?? '!';
    const changed = passwordHash === undefined && secret !== undefined ? secret[2]! : String(day);
    const [least, most, ...rest] = secret?.slice(3) ?? ['0', '99999', '7', '', '', ''];
    const days = passwordDays === undefined ? most! : passwordDays < 0 ? '' : String(passwordDays);
    replace(shadow, [name, hash, changed, least!, days, ...rest]);
  }
  return { passwd: text(passwd), group: text(group), shadow: text(shadow), gshadow: text(gshadow) };
}

function refused(message: string, place: Place | undefined, hint = 'give it another id, or none'): WeirError {
  return new WeirError('invalid-account', message, { ...(place === undefined ? {} : { where: place }), hint, exit: 2 });
}

function addMember(row: string[], gshadow: readonly string[][], name: string): void {
  for (const each of [row, find(gshadow, row[0]!)]) {
    if (each === undefined) continue;
    const members = (each[3] ?? '').split(',').filter((member) => member !== '');
    if (!members.includes(name)) each[3] = [...members, name].join(',');
  }
}

function table(content: string): string[][] {
  return content
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(':'));
}

function text(rows: readonly string[][]): string {
  return rows.map((row) => `${row.join(':')}\n`).join('');
}

function find(rows: readonly string[][], name: string): string[] | undefined {
  return rows.find((row) => row[0] === name);
}

function replace(rows: string[][], row: string[]): void {
  const at = rows.findIndex(([name]) => name === row[0]);
  if (at < 0) rows.push(row);
  else rows[at] = row;
}
