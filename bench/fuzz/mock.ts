import { mockConfigOf } from '../../src/inputs/mock-config.ts';
import type { Target } from './target.ts';

const options = String.raw`config_opts['target_arch'] = 'x86_64'
config_opts['legal_host_arches'] = ('x86_64', "i\x36\u00386")
include('b.tpl')
config_opts['chroot_setup_cmd'] = 'install @{% if mirrored %}buildsys-{% endif %}build' \
    ' bash'
config_opts['mirrored'] = config_opts['target_arch'] != 'i686' and int('41') >= 40
config_opts['macros']['%dist'] = r'.ex\9'
config_opts['plugin_conf']['rpmautospec_opts'] = {'requires': ['a'], 'n': -0x1f, 'x': None, 'y': (not True,)}
config_opts['plugin_conf']['bind_mount_opts']['dirs'].append(('/a', '''/b'''))
config_opts['releasever'] = 9; config_opts['root'] = 'a-{{ releasever }}' if 1 < 2 else ''
config_opts['dnf.conf'] = "[main]"
`;

const template = `config_opts['dnf.conf'] = """
[main]
gpgcheck=0
{%- macro keys(a) -%}
file:///{{ a ~ releasever }}
{%- for version in [releasever|int - 1, releasever|int + 1] %} file:///{{ version }}{% endfor %}
{%- endmacro %}
{# why #}
{% set x = range(3) %}
[a]
baseurl=https://one.example.org/$releasever,
  https://two.example.org/{% if repo_arch in ['x86_64'] and x is defined %}{{ repo_arch|upper }}{% elif x[1] %}b{% endif %}
gpgkey={{ keys('x') }}
enabled={{ not mirrored }}
priority = 10
[b] ; c
excludepkgs="a b"
"""
`;

/** Reads a configuration that includes itself and a template. */
export const mockTargets: readonly Target[] = [
  {
    name: 'mock',
    samples: async () => [Buffer.from(options), Buffer.from(template), Buffer.from(options + template)],
    read: (input) => {
      const content = input.toString();
      const access = {
        includeFolders: () => ['.'],
        include: (name: string) => (name === 'b.tpl' ? { path: name, content: template } : { path: 'a.cfg', content }),
      };
      mockConfigOf('a.cfg', [{ path: 'a.cfg', content }], access, 'x86_64');
    },
  },
];
