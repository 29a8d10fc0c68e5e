import { WeirError } from '../base/errors.ts';
import type { SetupUser } from '../project/model/image.ts';

/** The four account files, by their names in /etc (passwd(5), group(5), shadow(5), gshadow(5)). */
export type AccountFiles = Readonly<Record<'passwd' | 'group' | 'shadow' | 'gshadow', string>>;

/** Ids for accounts of people, as in Fedora's login.defs. */
const people = { first: 1000, last: 60_000 } as const;

/**
 * Adds accounts and the groups that they need, like useradd(8) and usermod(8). A new account without a primary group gets one
 * of its own name; a password is that of the account or none.
 * @param day of the last change of passwords, in days since 1970
 * @throws WeirError `invalid-account` (exit 2)
 */
export function withAccounts(files: AccountFiles, accounts: readonly SetupUser[], day: number): AccountFiles {
  const passwd = table(files.passwd);
  const group = table(files.group);
  const shadow = table(files.shadow);
  const gshadow = table(files.gshadow);
  const has = (rows: readonly string[][], id: number): boolean => rows.some((row) => Number(row[2]) === id);
  const free = (rows: readonly string[][], wanted: number | undefined): number => {
    if (wanted !== undefined && !has(rows, wanted)) return wanted;
    for (let id = people.first; id <= people.last; id++) if (!has(rows, id)) return id;
    throw new WeirError('invalid-account', 'the image has no free id for an account', { exit: 2 });
  };
  const groupOf = (text: string, wanted?: number): string[] => {
    const [name, number] = text.split(':') as [string, string?];
    const known = find(group, name);
    if (known !== undefined) {
      if (number === undefined || known[2] === number) return known;
      throw new WeirError('invalid-account', `group ${name} has the id ${known[2]}, not ${number}`, { exit: 2 });
    }
    if (number !== undefined && has(group, Number(number))) {
      throw new WeirError('invalid-account', `the id ${number} of group ${name} is in use`, { exit: 2 });
    }
    const row = [name, 'x', number ?? String(free(group, wanted)), ''];
    group.push(row);
    gshadow.push([name, '!', '', '']);
    return row;
  };
  for (const account of accounts) {
    const { name, groups, home, shell, fullName, passwordHash } = account;
    const known = find(passwd, name);
    if (account.id !== undefined && passwd.some((row) => row[0] !== name && Number(row[2]) === account.id)) {
      throw new WeirError('invalid-account', `the id ${account.id} of user ${name} is in use`, { exit: 2 });
    }
    const id = account.id ?? (known === undefined ? free(passwd, undefined) : Number(known[2]));
    const [primary, ...others] = groups;
    const gid = primary !== undefined || known === undefined ? groupOf(primary ?? name, id)[2]! : known[3]!;
    const row = [
      name,
      'x',
      String(id),
      gid,
      fullName ?? known?.[4] ?? '',
      home ?? known?.[5] ?? `/home/${name}`,
      shell ?? known?.[6] ?? '/bin/bash',
    ];
    replace(passwd, row);
    for (const other of others) addMember(groupOf(other), gshadow, name);
    const secret = find(shadow, name);
    const hash = passwordHash ?? secret?.[1] ?? '!';
    const changed = passwordHash === undefined && secret !== undefined ? secret[2]! : String(day);
    replace(shadow, [name, hash, changed, ...(secret?.slice(3) ?? ['0', '99999', '7', '', '', ''])]);
  }
  return { passwd: text(passwd), group: text(group), shadow: text(shadow), gshadow: text(gshadow) };
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
