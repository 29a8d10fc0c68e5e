/** depmod's index: every module's file and dependencies, by normalised name. */
export interface ModuleIndex {
  /** Path in the modules folder, as in modules.dep, and dependencies; those to load first come last. */
  readonly modules: ReadonlyMap<string, { readonly path: string; readonly needs: readonly string[] }>;
  readonly builtin: ReadonlySet<string>;
}

/** Parses modules.dep and modules.builtin as written by depmod(8) and the kernel's build. */
export function parseModules(dep: string, builtin: string): ModuleIndex {
  const modules = new Map<string, { path: string; needs: string[] }>();
  for (const line of dep.split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const path = line.slice(0, colon);
    const needs = line.slice(colon + 1).split(' ');
    modules.set(moduleName(path), { path, needs: needs.filter((need) => need !== '').map(moduleName) });
  }
  const lines = builtin.split('\n').filter((line) => line !== '');
  return { modules, builtin: new Set(lines.map(moduleName)) };
}

/** `kernel/drivers/scsi/sd_mod.ko.xz` → `sd_mod`; the kernel treats `-` and `_` as equal. */
export function moduleName(path: string): string {
  return path
    .slice(path.lastIndexOf('/') + 1)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_');
}

/**
 * Files of the named modules and all their dependencies, in load order.
 * @returns `missing`: names that are neither a module nor built in
 */
export function moduleClosure(
  index: ModuleIndex,
  names: readonly string[],
): { readonly paths: readonly string[]; readonly missing: readonly string[] } {
  const paths = new Map<string, string>();
  const missing: string[] = [];
  const visit = (name: string): void => {
    if (paths.has(name)) return;
    const module = index.modules.get(name);
    if (module === undefined) {
      if (!index.builtin.has(name)) missing.push(name);
      return;
    }
    // A line of modules.dep has all dependencies, the deepest last.
    for (const need of [...module.needs].reverse()) visit(need);
    paths.set(name, module.path);
  };
  for (const name of names) visit(name.replaceAll('-', '_'));
  return { paths: [...paths.values()], missing };
}

/**
 * Prints a modules.dep for uncompressed modules in one folder, named `NAME.ko`.
 * @param order the modules, each after its dependencies
 * @param along additional dependencies of modules
 */
export function flatDependencies(
  index: ModuleIndex,
  order: readonly string[],
  along: Readonly<Record<string, readonly string[]>>,
): string {
  const needs = (name: string): readonly string[] => index.modules.get(name)?.needs ?? [];
  const lines = order.map((name) => {
    const wanted = new Set([...needs(name), ...(along[name] ?? []).flatMap((other) => [other, ...needs(other)])]);
    // As in depmod, dependencies to load first come last.
    const files = order.filter((other) => wanted.has(other) && other !== name).reverse();
    return `${[`${name}.ko:`, ...files.map((file) => `${file}.ko`)].join(' ')}\n`;
  });
  return lines.join('');
}

/** The lines of modules.alias that map devices on a bus to the named modules. */
export function deviceAliases(alias: string, names: readonly string[]): string {
  const wanted = new Set(names);
  const lines = alias.split('\n').filter((line) => {
    const [keyword, pattern, name] = line.split(' ');
    return keyword === 'alias' && /^(acpi\*?|pci|virtio|vmbus|scsi):/.test(pattern ?? '') && wanted.has(name ?? '');
  });
  return lines.map((line) => `${line}\n`).join('');
}
