import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readMockConfig } from '../../src/inputs/mock-config.ts';
import { folderOf, problem, read } from './mock-fixture.ts';

const machine = `# One architecture
config_opts['target_arch'] = 'x86_64'
config_opts['legal_host_arches'] = ('x86_64',)

include('templates/example-9.tpl')`;

const template = String.raw`config_opts['root'] = 'example-{{ releasever }}-{{ target_arch }}'
config_opts['mirrored'] = config_opts['target_arch'] != 'i686'
config_opts['chroot_setup_cmd'] = 'install @{% if mirrored %}buildsys-{% endif %}build'
config_opts['chroot_setup_cmd'] += ' bash ' \
    'example-release'
config_opts['releasever'] = '9'
config_opts['package_manager'] = '{% if releasever|int >= 8 %}dnf5{% else %}dnf{% endif %}'
config_opts['extra_chroot_dirs'] = [ '/run/lock', ]
config_opts['macros']['%dist'] = '.ex{{ releasever }}'
config_opts['macros']['vendor'] = "Example \"Inc\""
config_opts['environment']['LANG'] = 'C.UTF-8'
config_opts['environment']['BUILD_FLAVOR'] = 'small'
config_opts['plugin_conf']['ccache_enable'] = False
config_opts['plugin_conf']['rpmautospec_enable'] = True
config_opts['plugin_conf']['rpmautospec_opts'] = {
    'requires': ['rpmautospec'],  # what it needs
    'cmd_base': ['/usr/bin/rpmautospec', 'process-distgit'],
}
config_opts['plugin_conf']['bind_mount_opts']['dirs'].append(('/srv/mirror', '/mirror'))
config_opts['rpmbuild_networking'] = True

config_opts['dnf.conf'] = """
[main]
gpgcheck=0
best=1
module_platform_id=platform:ex{{ releasever }}
user_agent={{ user_agent }}

{%- macro keys() -%}
file:///keys/example-{{ releasever }}
{%- for version in [releasever|int - 1, releasever|int + 1] %} file:///keys/example-{{ version }}
{%- endfor %}
{%- endmacro %}

# The build system's own
[local]
name=local
baseurl=https://build.example.org/f{{ releasever }}-build/latest/$basearch/
cost=2000
enabled={{ not mirrored }}

{% if mirrored %}
[example]
name=Example $releasever
metalink=https://mirrors.example.org/metalink?repo=example-$releasever&arch=$basearch
gpgkey={{ keys() }}
gpgcheck=1
repo_gpgcheck=yes
skip_if_unavailable=False
priority = 10
excludepkgs=kernel*, *.i686
    glibc32
{% endif %}
"""
`;

describe('a mock configuration with a template', () => {
  const files = { 'example-9-x86_64.cfg': machine, 'templates/example-9.tpl': template };

  it('gives what a buildroot needs', () => {
    const folder = folderOf(files);
    const file = join(folder, 'example-9-x86_64.cfg');
    const config = readMockConfig(file, { arch: 'x86_64' });
    const { main, repositories, ...others } = config;
    const tpl = join(folder, 'templates/example-9.tpl');
    const lineOf = (text: string) => template.split('\n').indexOf(text) + 1;
    expect(others).toEqual({
      file,
      files: [file, tpl],
      root: 'example-9-x86_64',
      targetArch: 'x86_64',
      legalHostArches: ['x86_64'],
      releasever: '9',
      repoArch: 'x86_64',
      setup: ['@buildsys-build', 'bash', 'example-release'],
      macros: { dist: '.ex9', vendor: 'Example "Inc"' },
      check: true,
      extraChrootDirs: ['/run/lock'],
      environment: { BUILD_FLAVOR: 'small' },
      packageManager: 'dnf5',
      dnfVars: {},
      moduleEnable: [],
      plugins: {
        rpmautospec: { requires: '["rpmautospec"]', cmd_base: '["/usr/bin/rpmautospec","process-distgit"]' },
        bind_mount: { dirs: '[["/srv/mirror","/mirror"]]', create_dirs: 'false' },
      },
      ignored: { rpmbuild_networking: { file: tpl, line: lineOf("config_opts['rpmbuild_networking'] = True") } },
    });
    expect(main).toEqual({
      gpgcheck: '0',
      best: '1',
      module_platform_id: 'platform:ex9',
      user_agent: 'Mock (example-9-x86_64; x86_64)',
    });
    expect(repositories).toMatchObject([
      {
        id: 'local',
        baseUrls: ['https://build.example.org/f9-build/latest/$basearch/'],
        gpgKeys: [],
        gpgCheck: false,
        enabled: false,
        cost: 2000,
        origin: { file: tpl, line: lineOf('[local]') },
      },
      {
        id: 'example',
        name: 'Example $releasever',
        baseUrls: [],
        metalink: 'https://mirrors.example.org/metalink?repo=example-$releasever&arch=$basearch',
        gpgKeys: ['file:///keys/example-9', 'file:///keys/example-8', 'file:///keys/example-10'],
        gpgCheck: true,
        repoGpgCheck: true,
        enabled: true,
        priority: 10,
        excludes: ['kernel*', '*.i686', 'glibc32'],
        skipIfUnavailable: false,
        origin: { file: tpl, line: lineOf('[example]') },
      },
    ]);
  });

  it('is refused for another architecture', () => {
    const file = join(folderOf(files), 'example-9-x86_64.cfg');
    expect(() => readMockConfig(file, { arch: 'aarch64' })).toThrow('is for x86_64, not for aarch64');
  });

  it('begins with the site defaults of its folder', () => {
    const folder = folderOf({ ...files, 'site-defaults.cfg': "config_opts['macros']['%site'] = 'here'\n" });
    const config = readMockConfig(join(folder, 'example-9-x86_64.cfg'), { arch: 'x86_64' });
    expect(config.macros.site).toBe('here');
    expect(config.files[0]).toBe(join(folder, 'site-defaults.cfg'));
  });

  it('finds includes in the configuration folder that is named', () => {
    const folder = folderOf({ 'eol/old.cfg': machine, 'templates/example-9.tpl': template });
    const file = join(folder, 'eol/old.cfg');
    expect(readMockConfig(file, { arch: 'x86_64', configDir: folder }).releasever).toBe('9');
    expect(() => readMockConfig(file, { arch: 'x86_64' })).toThrow('templates/example-9.tpl was not found');
  });

  it('finds an include beside the file that includes it, or by its absolute path', () => {
    const folder = folderOf({
      'a/b.tpl': "include('c.tpl')",
      'a/c.tpl': "config_opts['dnf.conf'] = '[x]'",
      'a.cfg': '',
    });
    const file = folderOf({ 'main.cfg': `include('${folder}/a/b.tpl')` });
    const config = readMockConfig(join(file, 'main.cfg'), { arch: 'x86_64' });
    expect(config.files.slice(1)).toEqual([join(folder, 'a/b.tpl'), join(folder, 'a/c.tpl')]);
    expect(config.repositories.map(({ id }) => id)).toEqual(['x']);
  });
});

describe('includes', () => {
  it('may not form a cycle', () => {
    const folder = folderOf({ 'a.cfg': "\ninclude('b.tpl')", 'b.tpl': "include('a.cfg')" });
    expect(() => readMockConfig(join(folder, 'a.cfg'), { arch: 'x86_64' })).toThrow(
      expect.objectContaining({
        message: 'the includes form a cycle',
        where: { file: join(folder, 'b.tpl'), line: 1, column: 9 },
        hint: ['a.cfg', 'b.tpl', 'a.cfg'].map((name) => join(folder, name)).join(' includes '),
      }),
    );
  });

  it('are read once', () => {
    const folder = folderOf({
      'a.cfg': "include('b.tpl')\ninclude('b.tpl')\nconfig_opts['dnf.conf'] = ''",
      'b.tpl': "config_opts['chroot_additional_packages'] += ['one']",
    });
    const config = readMockConfig(join(folder, 'a.cfg'), { arch: 'x86_64' });
    expect(config.setup.filter((name) => name === 'one')).toHaveLength(1);
  });

  it('are limited in depth', () => {
    const names = Array.from({ length: 30 }, (_, index) => [`${index}.tpl`, `include('${index + 1}.tpl')`] as const);
    const folder = folderOf(Object.fromEntries(names));
    expect(() => readMockConfig(join(folder, '0.tpl'), { arch: 'x86_64' })).toThrow('too many includes');
  });

  it('that are missing say where they were looked for', () => {
    const folder = folderOf({ 'a.cfg': "include('b.tpl')" });
    expect(() => readMockConfig(join(folder, 'a.cfg'), { arch: 'x86_64' })).toThrow(
      expect.objectContaining({ message: 'the included file b.tpl was not found', hint: `looked in: ${folder}` }),
    );
  });
});

describe('files', () => {
  it('that are missing are named', () => {
    const file = join(folderOf({}), 'a.cfg');
    expect(() => readMockConfig(file, { arch: 'x86_64' })).toThrow(
      expect.objectContaining({ message: 'the mock configuration was not found', where: { file }, exit: 2 }),
    );
  });

  it('that cannot be read say why', () => {
    const folder = folderOf({ 'a.cfg/b': '' });
    expect(() => readMockConfig(join(folder, 'a.cfg'), { arch: 'x86_64' })).toThrow(/^cannot read: .*EISDIR/);
  });

  it('are limited in size', () => {
    const file = join(folderOf({ 'a.cfg': '#'.repeat((1 << 20) + 1) }), 'a.cfg');
    expect(readFileSync(file)).toHaveLength((1 << 20) + 1);
    expect(() => readMockConfig(file, { arch: 'x86_64' })).toThrow('too large');
  });
});

describe('the setup command', () => {
  it.each([
    ["'install a  @b\\n c'", ['a', '@b', 'c']],
    ["('install', 'a')", ['a']],
    ["['groupinstall', 'build', '@base']", ['@build', '@base']],
    ["'group install build'", ['@build']],
    ["''", []],
    ['None', []],
    ["'install'", []],
  ])('%s', (command, setup) => {
    expect(read(`config_opts['chroot_setup_cmd'] = ${command}`).setup).toEqual(setup);
  });

  it('is mock’s own where none is set', () => {
    expect(read('').setup).toEqual(['@buildsys-build']);
  });

  it('comes before additional packages', () => {
    const text = "config_opts['chroot_setup_cmd'] = 'install a'\nconfig_opts['chroot_additional_packages'] = 'b c'";
    expect(read(text).setup).toEqual(['a', 'b', 'c']);
  });

  it.each([
    ["'remove x'", '1:1 unsupported chroot_setup_cmd: remove x'],
    ["'install --setopt=a=b x'", '1:1 unsupported option in chroot_setup_cmd: --setopt=a=b'],
    ["{'a': 'b'}", "1:1 config_opts['chroot_setup_cmd'] is a dictionary"],
  ])('%s is refused', (command, message) => {
    expect(problem(`config_opts['chroot_setup_cmd'] = ${command}`)).toBe(message);
  });
});

describe('macros', () => {
  it('have their names without the percent sign and their values as text', () => {
    const text = "config_opts['macros'] = {'%a': 1, 'b': True, '%c(x)': '%{nil}', '%__proto__': 'p'}";
    expect(Object.entries(read(text).macros)).toEqual([
      ['a', '1'],
      ['b', 'True'],
      ['c(x)', '%{nil}'],
      ['__proto__', 'p'],
    ]);
  });

  it.each(["['%a b'] = 'c'", "['%'] = 'c'", "['%a'] = ''"])('%s is invalid', (text) => {
    expect(problem(`config_opts['macros']${text}`)).toMatch(/^1:1 invalid macro/);
  });

  it('that are empty because a variable is not set name it', () => {
    expect(problem("config_opts['macros']['%a'] = '{{ nosuch }}'")).toBe('1:1 macro "%a" is empty: nosuch is not set');
    expect(problem("config_opts['empty'] = ''\nconfig_opts['macros']['%a'] = '{{ empty }}{{- nosuch|lower }}'")).toBe(
      '2:1 macro "%a" is empty: nosuch is not set',
    );
  });

  it('are strings', () => {
    expect(problem("config_opts['macros']['%a'] = ['b']")).toBe('1:1 expected a string, found a list');
  });
});

describe('plugins', () => {
  it('that mock enables itself are not the configuration’s', () => {
    expect(read("config_opts['plugin_conf']['yum_cache_enable'] = True").plugins).toEqual({});
  });

  it('are listed with the options of their own', () => {
    const text = `
config_opts['plugin_conf']['tmpfs_enable'] = True
config_opts['plugin_conf']['tmpfs_opts'] = {'required_ram_mb': 900, 'mode': '0755', 'dir': '/x/{{ target_arch }}'}
config_opts['plugin_conf']['root_cache_opts']['max_age_days'] = 3
config_opts['plugin_conf']['sign_opts'] = {'cmd': 'x'}`;
    expect(read(text).plugins).toEqual({
      tmpfs: { required_ram_mb: '900', mode: '0755', dir: '/x/x86_64' },
      root_cache: { max_age_days: '3' },
    });
  });
});

describe('other options', () => {
  it('target_arch is the wanted one where none is set', () => {
    expect(read('', 'aarch64')).toMatchObject({ targetArch: 'aarch64', repoArch: 'aarch64' });
  });

  it('repo_arch comes from its map', () => {
    expect(read("config_opts['repo_arch_map'] = {'x86_64': 'x86_64_v2'}").repoArch).toBe('x86_64_v2');
    expect(read("config_opts['repo_arch'] = 'amd64'").repoArch).toBe('amd64');
  });

  it('yum.conf and dnf.conf are one option', () => {
    const text = "config_opts['yum.conf'] = '[main]\\na=1'\nconfig_opts['dnf.conf'] += '\\nb=2'";
    expect(read(text).main).toEqual({ a: '1', b: '2' });
  });

  it('dnf.conf is required', () => {
    expect(problem("config_opts['dnf.conf'] = None")).toBe("1:1 config_opts['dnf.conf'] is not set");
  });

  it('a list that contains itself is rejected', () => {
    const text = "config_opts['module_enable'].append(config_opts['module_enable'])";
    expect(problem(text)).toMatch(/^1:1 nested more than/);
  });
});
