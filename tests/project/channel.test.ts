import { describe, expect, it } from 'vitest';
import { channelOf, isDebugPackage, sourceChannelOf } from '../../src/project/channel.ts';
import { load } from './fixture.ts';

const levels = {
  'default-package-config.publish': 'weakest',
  'components.c.publish': 'component',
  'package-groups.g.default-package-config.publish': 'group',
  'components.c.packages.p.publish': 'package',
} as const;

async function channel(tables: Readonly<Record<string, string>>, name: string): Promise<string | undefined> {
  const toml = Object.entries(tables).map(([table, content]) => `[${table}]\n${content}\n`);
  const project = await load(
    `${toml.join('')}[components.c.build]\n[package-groups.g]\npackages = ["p", "p-debuginfo"]\n`,
  );
  return channelOf(project, project.components.get('c')!, name);
}

describe('the channel of a package', () => {
  it.each(Object.entries(levels))('%s overrides weaker levels', async (strongest, word) => {
    const upTo = Object.entries(levels).slice(0, Object.keys(levels).indexOf(strongest) + 1);
    const tables = Object.fromEntries(upTo.map(([table, name]) => [table, `rpm-channel = "${name}"`]));
    expect(await channel(tables, 'p')).toBe(word);
  });

  it('comes from weaker levels for a package that no table names', async () => {
    const tables = Object.fromEntries(
      Object.entries(levels).map(([table, word]) => [table, `rpm-channel = "${word}"`]),
    );
    expect(await channel(tables, 'q')).toBe('component');
    expect(await channel(tables, 'constructor')).toBe('component');
    expect(await channel({}, 'q')).toBeUndefined();
  });

  it('"none" publishes nothing, and can be overridden', async () => {
    expect(await channel({ 'default-package-config.publish': 'rpm-channel = "none"' }, 'p')).toBeUndefined();
    const tables = {
      'components.c.publish': 'rpm-channel = "none"',
      'components.c.packages.p.publish': 'rpm-channel = "x"',
    };
    expect(await channel(tables, 'p')).toBe('x');
    expect(await channel(tables, 'q')).toBeUndefined();
  });

  it('accepts the old key for rpm-channel, but not for debuginfo', async () => {
    const old = { 'default-package-config.publish': 'channel = "old"' };
    expect(await channel(old, 'p')).toBe('old');
    expect(await channel(old, 'p-debuginfo')).toBeUndefined();
    expect(await channel({ 'default-package-config.publish': 'channel = "old"\nrpm-channel = "new"' }, 'p')).toBe(
      'new',
    );
  });

  it('debug packages have channels of their own', async () => {
    const tables = {
      'default-package-config.publish': 'rpm-channel = "r"\ndebuginfo-channel = "d"',
      'components.c.packages.p-debuginfo.publish': 'rpm-channel = "x"',
    };
    expect(await channel(tables, 'p-debuginfo')).toBe('d');
    expect(await channel(tables, 'p-debugsource')).toBe('d');
    expect(await channel(tables, 'p')).toBe('r');
  });

  it.each([
    ['bash-debuginfo', true],
    ['bash-debugsource', true],
    ['kernel-debuginfo-common', true],
    ['glibc-debugsource-common', true],
    ['foo-debuginfod-debuginfo', true],
    ['curl', false],
    ['texinfo', false],
    ['debug-tools', false],
    ['', false],
    ['debuginfo', false],
    ['bash-debuginfod', false],
    ['elfutils-debuginfod-client', false],
  ])('%s is a debug package: %s', (name, debug) => {
    expect(isDebugPackage(name)).toBe(debug);
  });

  it('of a whole project', async () => {
    const project = await load(`
[default-package-config.publish]
rpm-channel = "sdk"
[default-component-config.publish]
debuginfo-channel = "debug"
srpm-channel = "src"
[component-groups.core]
components = ["bash"]
default-component-config.publish = { rpm-channel = "base" }
[package-groups.docs]
packages = ["bash-doc", "zsh-doc"]
default-package-config.publish = { channel = "docs", debuginfo-channel = "none" }
[components.bash]
packages = { bash-tests.publish = { rpm-channel = "none" }, bash-doc.publish = { debuginfo-channel = "x" } }
[components.zsh]
publish = { srpm-channel = "none" }
`);
    const of = (component: string, name: string): string | undefined =>
      channelOf(project, project.components.get(component)!, name);
    expect(['bash', 'bash-doc', 'bash-tests', 'bash-debuginfo'].map((name) => of('bash', name))).toEqual([
      'base',
      'docs',
      undefined,
      'debug',
    ]);
    expect(['zsh', 'zsh-doc', 'zsh-debugsource'].map((name) => of('zsh', name))).toEqual(['sdk', 'docs', 'debug']);
    expect(sourceChannelOf(project.components.get('bash')!)).toBe('src');
    expect(sourceChannelOf(project.components.get('zsh')!)).toBeUndefined();
  });

  it('source packages have their own channel', async () => {
    const project = await load(
      '[components.a.publish]\nsrpm-channel = "src"\n[components.b.publish]\nsrpm-channel = "none"\n',
    );
    expect(sourceChannelOf(project.components.get('a')!)).toBe('src');
    expect(sourceChannelOf(project.components.get('b')!)).toBeUndefined();
  });
});
