import { expandPlain } from './query.ts';

/**
 * Macros that distributions' macro packages offer for scriptlets (systemd, redhat-rpm-config, selinux-policy, firewalld), as the
 * commands that they expand to. Only what decides about a scriptlet is kept: which programs run.
 */
const scriptMacros: Readonly<Record<string, string>> = {
  systemd_post: 'systemctl preset',
  systemd_user_post: 'systemctl --global preset',
  systemd_preun: 'systemd-update-helper remove-system-units',
  systemd_user_preun: 'systemd-update-helper remove-user-units',
  systemd_postun: 'systemctl daemon-reload',
  systemd_user_postun: 'systemctl daemon-reload',
  systemd_postun_with_restart: 'systemd-update-helper mark-restart-system-units',
  systemd_user_postun_with_restart: 'systemd-update-helper mark-restart-user-units',
  systemd_postun_with_reload: 'systemd-update-helper mark-reload-system-units',
  systemd_user_postun_with_reload: 'systemd-update-helper mark-reload-user-units',
  systemd_posttrans_with_restart: 'systemctl try-restart',
  systemd_posttrans_with_reload: 'systemctl try-reload-or-restart',
  service_add_pre: 'true',
  service_add_post: 'systemctl preset',
  service_del_preun: 'systemd-update-helper remove-system-units',
  service_del_postun: 'systemctl try-restart',
  sysusers_create: 'systemd-sysusers',
  sysusers_create_package: 'systemd-sysusers',
  sysusers_create_compat: 'systemd-sysusers',
  sysusers_create_inline: 'systemd-sysusers',
  tmpfiles_create: 'systemd-tmpfiles --create',
  tmpfiles_create_package: 'systemd-tmpfiles --create',
  ldconfig: 'ldconfig',
  sysctl_apply: 'systemd-sysctl',
  binfmt_apply: 'systemd-binfmt',
  udev_rules_update: 'udevadm control --reload',
  udev_hwdb_update: 'systemd-hwdb update',
  journal_catalog_update: 'journalctl --update-catalog',
  selinux_modules_install: 'semodule -i',
  selinux_modules_uninstall: 'semodule -r',
  selinux_relabel_pre: 'getenforce',
  selinux_relabel_post: 'fixfiles restore',
  selinux_requires: 'true',
  selinux_set_booleans: 'setsebool',
  selinux_unset_booleans: 'setsebool',
  firewalld_reload: 'firewall-cmd --reload',
  font_update_dirs: 'fc-cache',
  desktop_database_post: 'update-desktop-database',
  icon_theme_cache_post: 'gtk-update-icon-cache',
  glib2_gsettings_schema_post: 'glib-compile-schemas',
  nil: '',
  __rm: 'rm',
  __cp: 'cp',
  __mv: 'mv',
  __ln_s: 'ln -s',
  __mkdir: 'mkdir',
  __mkdir_p: 'mkdir -p',
  __sed: 'sed',
  __grep: 'grep',
  __chmod: 'chmod',
  __chown: 'chown',
  __cat: 'cat',
  __install: 'install',
  __perl: 'perl',
  __python3: 'python3',
};

/**
 * The text of a spec's scriptlet with what is known about its macros put in: the spec's own plain ones (`%global x y`), those for
 * scriptlets, and the text of `%{?x:text}`. Other macros stay.
 * @param macros the spec's plain macros, from `plainMacros`
 */
export function expandScriptMacros(script: string, macros: ReadonlyMap<string, string>): string {
  // A definition inside a scriptlet is no command.
  let text = expandPlain(script.replaceAll(/^\s*%(?:define|global|undefine)\b.*$/gm, ''), macros);
  // Conditional texts may be nested, the innermost first.
  for (let round = 0; round < 5; round++) {
    const before = text;
    text = text.replaceAll(/%\{[?!]+[\w-]+:([^{}]*)\}/g, '$1');
    text = text.replaceAll(/%\{\?*([A-Za-z_]\w*)\}|%\?*([A-Za-z_]\w*)/g, (whole, braced, bare) => {
      const command = scriptMacros[(braced ?? bare) as string];
      return command ?? whole;
    });
    if (text === before) break;
  }
  return text;
}
