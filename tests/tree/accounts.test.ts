import { describe, expect, test } from 'vitest';
import { type AccountFiles, withAccounts } from '../../src/tree/accounts.ts';

const files: AccountFiles = {
  passwd: 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/sbin/nologin\n',
  group: 'root:x:0:\nnobody:x:65534:\nwheel:x:10:root\n',
  shadow: 'root:*:1::::::\nnobody:*:1::::::\n',
  gshadow: 'root:::\nwheel:::root\n',
};

describe('an account', () => {
  test('that is new gets a free id, a group of its own and no password', () => {
    expect(withAccounts(files, [{ name: 'new', groups: [] }], 20_000)).toEqual({
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
    const after = withAccounts(files, [{ ...account, groups: ['work:1500', 'wheel', 'nobody'] }], 20_000);
    expect(after.passwd).toContain('\nworker:x:1400:1500:A worker:/srv/w:/bin/sh\n');
    expect(after.group).toBe('root:x:0:\nnobody:x:65534:worker\nwheel:x:10:root,worker\nwork:x:1500:\n');
    expect(after.gshadow).toBe('root:::\nwheel:::root,worker\nwork:!::\n');
    expect(after.shadow).toContain('\nworker:$6$a$b:20000:');
  });

  test('that is there keeps what is not said', () => {
    const after = withAccounts(files, [{ name: 'root', passwordHash: '$6$a$b', groups: [] }], 20_000);
    expect(after.passwd).toBe(files.passwd);
    expect(after.shadow).toBe('root:$6$a$b:20000::::::\nnobody:*:1::::::\n');
    expect(withAccounts(files, [{ name: 'root', shell: '/bin/sh', groups: [] }], 20_000)).toEqual({
      ...files,
      passwd: files.passwd.replace('/bin/bash', '/bin/sh'),
    });
  });

  test.each([
    [{ name: 'a', id: 65_534, groups: [] }, /id 65534 of user a is in use/],
    [{ name: 'a', groups: ['b:10'] }, /id 10 of group b is in use/],
    [{ name: 'a', groups: ['wheel:11'] }, /group wheel has the id 10, not 11/],
  ])('%j is an error', (account, says) => {
    expect(() => withAccounts(files, [account], 1)).toThrow(
      expect.objectContaining({ code: 'invalid-account', message: expect.stringMatching(says) }),
    );
  });
});
