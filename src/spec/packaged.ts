import type { Spec } from './parse.ts';

/** Macros of folders as Fedora's macro packages and rpm define them, for x86_64 and aarch64. */
export const folderMacros: Readonly<Record<string, string>> = {
  _prefix: '/usr',
  _exec_prefix: '/usr',
  _bindir: '/usr/bin',
  _sbindir: '/usr/sbin',
  _libdir: '/usr/lib64',
  _libexecdir: '/usr/libexec',
  _includedir: '/usr/include',
  _datadir: '/usr/share',
  _datarootdir: '/usr/share',
  _docdir: '/usr/share/doc',
  _infodir: '/usr/share/info',
  _mandir: '/usr/share/man',
  _sysconfdir: '/etc',
  _localstatedir: '/var',
  _sharedstatedir: '/var/lib',
  _rundir: '/run',
  _unitdir: '/usr/lib/systemd/system',
  _rpmconfigdir: '/usr/lib/rpm',
  _rpmmacrodir: '/usr/lib/rpm/macros.d',
};

/** Files without an absolute path, or that are in no package. */
const notPackaged = /%(?:exclude|doc|license|readme)\b/;
/** Directives before a path: `%config(noreplace)`, `%attr(0755, root, root)`, `%dir`. */
const directive = /^%(?:attr|caps|config|defattr|dir|ghost|lang|verify|artifact|missingok)(?:\s*\([^)]*\))?\s*/;

/**
 * Absolute paths that the spec's `%files` sections list, from all branches of all conditionals; without those that hold a wildcard
 * or a macro which the text does not define.
 * @param expand expands the macros that are known
 */
export function packagedPaths(spec: Spec, expand: (text: string) => string): string[] {
  const paths = new Set<string>();
  for (const { key, start, end } of spec.sections) {
    if (key !== '%files') continue;
    for (let line = start; line < end; line++) {
      if (spec.roles[line] !== 'text') continue;
      let { text } = spec.lines[line]!;
      if (notPackaged.test(text)) continue;
      for (text = text.trim(); directive.test(text); ) text = text.replace(directive, '');
      for (const word of expand(text).trim().split(/\s+/)) {
        const path = word
          .replace(/^"(.*)"$/, '$1')
          .replace(/\/+/g, '/')
          .replace(/(.)\/$/, '$1');
        if (/^\/[^%*?[\]{}"\\]+$/.test(path)) paths.add(path);
      }
    }
  }
  return [...paths];
}
