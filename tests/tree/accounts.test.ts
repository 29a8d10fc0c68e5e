import { describe, expect, test } from 'vitest';
import type { SetupUser } from '../../src/project/model/image.ts';
import { type AccountFiles, withAccounts } from '../../src/tree/accounts.ts';

const files: AccountFiles = {
  passwd: 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/sbin/nologin\n',
  group: 'root:x:0:\nnobody:x:65534:\nwheel:x:10:root\n',
  shadow: 'root:*:1::::::\nnobody:*:1::::::\n',
  gshadow: 'root:::\nwheel:::root\n',
};

const withUsers = (users: readonly SetupUser[], day: number): AccountFiles =>
  withAccounts(files, { users }, day, '/bin/bash');

describe('an account', () => {
  test('that is new gets a free id, a group of its own and no password', () => {
    expect(withUsers([{ name: 'new', groups: [] }], 20_000)).toEqual({
      passwd: `${files.passwd}new:x:1000:1000::/home/new:/bin/bash\n`,
      group: `${files.group}new:x:1000:\n`,
      shadow: `${files.shadow}new:!:20000:0:99999:7:::\n`,
      gshadow: `${files.gshadow}new:!::\n`,
    });
  });

  test('gets what is said, and is a member of its further groups', () => {
    const account = {
      name: 'worker',
      id: 1400,
      passwordHash: '$6$a$b',
      fullName: 'A worker',
      home: '/srv/w',
      shell: '/bin/sh',
    };
    const after = withUsers([{ ...account, groups: ['work:1500', 'wheel', 'nobody'] }], 20_000);
    expect(after.passwd).toContain('\nworker:x:1400:1500:A worker:/srv/w:/bin/sh\n');
    expect(after.group).toBe('root:x:0:\nnobody:x:65534:worker\nwheel:x:10:root,worker\nwork:x:1500:\n');
    expect(after.gshadow).toBe('root:::\nwheel:::root,worker\nwork:!::\n');
    expect(after.shadow).toContain('\nworker:$6$a$b:20000:');
  });

  test('that is there keeps what is not said', () => {
    const after = withUsers([{ name: 'root', passwordHash: '$6$a$b', groups: [] }], 20_000);
    expect(after.passwd).toBe(files.passwd);
    expect(after.shadow).toBe('root:$6$a$b:20000::::::\nnobody:*:1::::::\n');
    expect(withUsers([{ name: 'root', shell: '/bin/sh', groups: [] }], 20_000)).toEqual({
      ...files,
      passwd: files.passwd.replace('/bin/bash', '/bin/sh'),
    });
  });

  test.each([
    [{ name: 'a', id: 65_534, groups: [] }, /id 65534 of user a is in use: by user nobody/],
    [{ name: 'a', groups: ['b:10'] }, /id 10 of group b is in use: by group wheel/],
    [{ name: 'a', groups: ['wheel:11'] }, /group wheel has the id 10, not 11/],
  ])('%j is an error', (account, says) => {
    const place = { file: 'c.yaml', line: 3, column: 5 };
    expect(() => withUsers([{ ...account, place }], 1)).toThrow(
      expect.objectContaining({ code: 'invalid-account', message: expect.stringMatching(says), where: place }),
    );
  });

  test('becomes a member of groups without a change of its primary one', () => {
    const after = withUsers([{ name: 'root', groups: [], memberOf: ['nobody', 'ops'] }], 1);
    expect(after.passwd).toBe(files.passwd);
    expect(after.group).toBe('root:x:0:\nnobody:x:65534:root\nwheel:x:10:root\nops:x:1000:root\n');
  });

  test('does not get a number that another one asks for', () => {
    const after = withUsers(
      [
        { name: 'first', groups: [] },
        { name: 'second', id: 1000, groups: [] },
      ],
      1,
    );
    expect(after.passwd).toContain('\nfirst:x:1001:1001:');
    expect(after.passwd).toContain('\nsecond:x:1000:1000:');
  });

  test('has the shell of the image, and an age of its password', () => {
    const users = [
      { name: 'root', groups: [], passwordDays: 9 },
      { name: 'new', groups: [], passwordDays: -1 },
    ];
    const after = withAccounts(files, { users }, 20_000, '/bin/sh');
    expect(after.passwd).toBe(`${files.passwd}new:x:1000:1000::/home/new:/bin/sh\n`);
    expect(after.shadow).toBe('root:*:1::9::::\nnobody:*:1::::::\nnew:!:20000:0::7:::\n');
  });
});

describe('a group', () => {
  const place = { file: 'c.yaml', line: 2, column: 1 };
  const withGroups = (id: number): AccountFiles =>
    withAccounts(files, { groups: [{ name: 'a' }, { name: 'b', id, place }], users: [] }, 1, '/bin/sh');

  test('gets its number, or a free one', () => {
    expect(withGroups(1000)).toEqual({
      ...files,
      group: `${files.group}a:x:1001:\nb:x:1000:\n`,
      gshadow: `${files.gshadow}a:!::\nb:!::\n`,
    });
  });

  test('cannot have the number of another one', () => {
    expect(() => withGroups(10)).toThrow(
      expect.objectContaining({ code: 'invalid-account', exit: 2, where: place, hint: expect.stringContaining('id') }),
    );
  });
});
