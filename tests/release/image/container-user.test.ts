import { expect, test } from 'vitest';
import { checkContainerUser } from '../../../src/release/image/container-user.ts';
import type { FileEntry, Tree } from '../../../src/tree/tree.ts';

const image = { name: 'app', origin: { file: 'images.toml', line: 3 } };
const contents: Readonly<Record<string, string>> = {
  '/etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532::/home/nonroot:/usr/sbin/nologin\n',
  '/etc/group': 'root:x:0:\nstaff:x:50:\n',
};
const attributes = { kind: 'file', mode: 0o644, user: 'root', group: 'root', mtime: 0, packages: [] } as const;
const tree: Tree = {
  packages: [],
  entries: Object.entries(contents).map(([path, text]) => ({ ...attributes, path, digest: path, size: text.length })),
};
const held = (user: string, of = tree) =>
  checkContainerUser(image, user, of, async ({ path }: FileEntry) => contents[path]!);

test.each(['root', 'nonroot', '0', '4711', 'nonroot:staff', '4711:staff', 'nonroot:50', '1:2'])('accepts %s', (user) =>
  expect(held(user)).resolves.toBeUndefined(),
);

test.each([
  ['alice', 'image app runs as user "alice", which is not in its /etc/passwd', 'root, nonroot'],
  ['alice:staff', 'image app runs as user "alice", which is not in its /etc/passwd', 'root, nonroot'],
  ['root:nogroup', 'image app runs as group "nogroup", which is not in its /etc/group', 'root, staff'],
  ['root:', 'image app runs as group "", which is not in its /etc/group', 'root, staff'],
  [':staff', 'image app runs as user "", which is not in its /etc/passwd', 'root, nonroot'],
])('%s is not', async (user, message, known) => {
  const error = { code: 'unknown-user', message, where: image.origin, exit: 2 };
  await expect(held(user)).rejects.toMatchObject({
    ...error,
    hint: `use one of the image's accounts (${known}), or a number`,
  });
});

test('an image without accounts runs as a number', async () => {
  const empty = { packages: [], entries: [] };
  await expect(held('65532', empty)).resolves.toBeUndefined();
  await expect(held('nonroot', empty)).rejects.toMatchObject({
    code: 'unknown-user',
    hint: "use one of the image's accounts (none), or a number",
  });
});
