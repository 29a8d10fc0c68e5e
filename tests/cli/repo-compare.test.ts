import { expect, it } from 'vitest';
import { folder, weir } from './weir.ts';

const project = {
  'weir.toml': `[resources.rpm-repo-sets.upstream]
template = "azl-standard"
base-uri = "https://repo.example.org"
disable-gpg-check = true
`,
  'empty/x86_64/none': '',
};

it.each([
  ['upstrem', 'neither a repository of the project nor a folder or a snapshot\nhint: did you mean upstream?'],
  ['empty', 'no repository for x86_64 in this folder\nhint: name a folder that has repodata/repomd.xml'],
])('weir repo compare says what is wrong with %s before it fetches any tool', (side, said) => {
  const dir = folder(project);
  const compared = weir(['repo', 'compare', '--left', side, '--right', 'upstream'], { cwd: dir });
  expect(compared).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(said) });
});

it.each([
  ['of an address', 'https://a.example', 'azl-standart', 'did you mean azl-standard?'],
  ['that nothing asks for', 'upstream', 'azl-standart', 'did you mean azl-standard?'],
  ['for no address', 'upstream', 'azl-standard', '--template has no effect: neither side is a URL'],
])('weir repo compare refuses a wrong layout %s', (_what, left, template, said) => {
  const dir = folder(project);
  const words = ['--left', left, '--right', 'upstream', '--template', template];
  const compared = weir(['repo', 'compare', ...words], { cwd: dir });
  expect(compared).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(said) });
});
