import type { TarKind, TarMember } from '../archive/tar.ts';
import { WeirError } from '../base/errors.ts';
import { byPath } from '../base/order.ts';
import { compileGlob, type Glob, matchesUnder, renameByGlob } from './glob.ts';
import type { Addition } from './mapping.ts';
import type { PackagePlan } from './plan.ts';

/** A byte range in the data archive of one of the package's debs. */
export interface Stretch {
  readonly archive: number;
  readonly offset: number;
  readonly size: number;
}

/** Source of a file's content: the mapping's text, an archive, or several ranges one after the other. */
export type Bytes = { readonly text: string } | Stretch | { readonly parts: readonly Stretch[] };

/** A file to be packed into the RPM. */
export interface Item {
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'symlink';
  readonly mode: number;
  readonly user: string;
  readonly group: string;
  /** Seconds since 1970; undefined for files that the mapping adds. */
  readonly mtime: number | undefined;
  readonly target?: string;
  readonly bytes?: Bytes;
  /** The member of the same package that it is a hard link to. */
  readonly hardlink?: string;
  readonly capabilities?: string;
  readonly config?: 'replace' | 'noreplace';
  readonly license?: boolean;
  readonly ghost?: boolean;
  readonly noVerify?: Addition['no-verify'];
}

/**
 * A package's final file list: the members of its debs (the first one wins), changed by the mapping. Everything is below `/usr`,
 * folders of `filesystem` are left out, configuration is marked, and licence texts go to `/usr/share/licenses/NAME`.
 * @throws WeirError `seed-path` if the mapping refers to a path that does not exist
 */
export function layOut(plan: PackagePlan, archives: readonly (readonly TarMember[])[]): Map<string, Item> {
  let items = collect(plan, archives);
  const { rule } = plan;
  const originals = items;
  const removed = globs(rule.remove);
  const defaults = globs(plan.defaultRemove);
  const kept = globs(rule.keep);
  items = filter(items, (item) => {
    if (item.license === true) return true;
    if (matchesUnder(removed, item.path)) return false;
    return !matchesUnder(defaults, item.path) || matchesUnder(kept, item.path);
  });
  repairLinks(items, originals);
  items = move(items, rule.move ?? {});
  for (const add of rule.add ?? []) put(items, addition(plan, add, originals, items));
  for (const [path, mode] of Object.entries(rule.directories ?? {})) put(items, folder(path, Number.parseInt(mode, 8)));
  for (const [path, target] of Object.entries(rule.links ?? {}))
    put(items, link(path, found(plan, items, path, target)));
  const list = (path: string, lines: readonly string[] | undefined): void => {
    if (lines !== undefined) put(items, file(path, `${lines.join('\n')}\n`));
  };
  list(`/usr/lib/sysusers.d/${plan.name}.conf`, rule.users);
  list(`/usr/lib/tmpfiles.d/${plan.name}.conf`, rule.tmpfiles);
  list(`/usr/lib/systemd/system-preset/80-${plan.name}.preset`, rule.presets);
  const common = new Set(plan.commonFolders);
  items = filter(items, (item) => item.kind !== 'directory' || !common.has(item.path));
  addParents(items, common);
  attributes(plan, items);
  dropEmptied(items, originals);
  return items;
}

function globs(patterns: readonly string[] | undefined): Glob[] {
  return (patterns ?? []).map(compileGlob);
}

function filter(items: ReadonlyMap<string, Item>, keep: (item: Item) => boolean): Map<string, Item> {
  return new Map([...items].filter(([, item]) => keep(item)));
}

function put(items: Map<string, Item>, item: Item): void {
  items.set(item.path, item);
}

function folder(path: string, mode = 0o755): Item {
  return { path, kind: 'directory', mode, user: 'root', group: 'root', mtime: undefined };
}

function link(path: string, target: string): Item {
  return { path, kind: 'symlink', mode: 0o777, user: 'root', group: 'root', mtime: undefined, target };
}

function file(path: string, text: string, mode = 0o644): Item {
  return { path, kind: 'file', mode, user: 'root', group: 'root', mtime: undefined, bytes: { text } };
}

/** Maps Debian's top-level folders that are links into `/usr` to their targets. */
function merged(path: string): string {
  return /^\/(bin|sbin|lib|lib32|lib64|libx32)\//.test(path) ? `/usr${path}` : path;
}

/** Devices and pipes are left out; the system creates its own. */
const taken: ReadonlySet<TarKind> = new Set(['file', 'directory', 'symlink', 'hardlink']);

function collect(plan: PackagePlan, archives: readonly (readonly TarMember[])[]): Map<string, Item> {
  const items = new Map<string, Item>();
  for (const [archive, members] of archives.entries()) {
    const deb = plan.debs[archive]!;
    const conffiles = new Set(deb.conffiles.map(merged));
    for (const member of members) {
      const path = merged(`/${member.path}`);
      if (path === '/' || /^\/(bin|sbin|lib|lib32|lib64|libx32)$/.test(path) || !taken.has(member.kind)) continue;
      const known = items.get(path);
      if (known !== undefined && !(known.kind === 'directory' && member.kind !== 'directory')) continue;
      items.set(path, fromMember(plan, path, member, archive, conffiles));
      if (path === `/usr/share/doc/${deb.name}/copyright` && member.kind === 'file') {
        addLicense(plan, items, deb.name, member, archive);
      }
    }
  }
  return items;
}

function fromMember(
  plan: PackagePlan,
  path: string,
  member: TarMember,
  archive: number,
  conffiles: ReadonlySet<string>,
): Item {
  const owner = (name: string, id: number): string => {
    if (id === 0 || name === 'root') return 'root';
    if (name !== '') return name;
    throw new WeirError('seed-path', `the owner of ${path} has no name: id ${id}`, { where: { package: plan.name } });
  };
  const base = {
    path,
    mode: member.mode,
    user: owner(member.user, member.uid),
    group: owner(member.group, member.gid),
    mtime: member.mtime,
  };
  if (member.kind === 'directory') return { ...base, kind: 'directory' };
  if (member.kind === 'symlink') return { ...base, kind: 'symlink', mode: 0o777, target: member.target };
  const config = conffiles.has(path) ? { config: 'noreplace' as const } : {};
  if (member.kind === 'hardlink') return { ...base, ...config, kind: 'file', hardlink: merged(`/${member.target}`) };
  return { ...base, ...config, kind: 'file', bytes: { archive, offset: member.offset, size: member.size } };
}

function addLicense(
  plan: PackagePlan,
  items: Map<string, Item>,
  deb: string,
  member: TarMember,
  archive: number,
): void {
  const dir = `/usr/share/licenses/${plan.name}`;
  const name = items.has(`${dir}/copyright`) ? `copyright.${deb}` : 'copyright';
  const bytes = { archive, offset: member.offset, size: member.size };
  items.set(dir, { ...folder(dir), mtime: member.mtime });
  items.set(`${dir}/${name}`, {
    ...{ path: `${dir}/${name}`, kind: 'file', mode: 0o644, user: 'root', group: 'root' },
    ...{ mtime: member.mtime, bytes, license: true },
  });
}

/** A hard link whose first file was left out inherits its content; the other links then point to it. */
function repairLinks(items: Map<string, Item>, originals: ReadonlyMap<string, Item>): void {
  const heirs = new Map<string, string>();
  for (const [path, item] of items) {
    if (item.hardlink === undefined || items.has(item.hardlink)) continue;
    const heir = heirs.get(item.hardlink);
    const { hardlink, ...rest } = item;
    if (heir !== undefined) items.set(path, { ...rest, hardlink: heir });
    else {
      const bytes = originals.get(hardlink)?.bytes;
      if (bytes === undefined) items.delete(path);
      else {
        heirs.set(hardlink, path);
        items.set(path, { ...rest, bytes });
      }
    }
  }
}

function move(items: ReadonlyMap<string, Item>, moves: Readonly<Record<string, string>>): Map<string, Item> {
  const rules = Object.entries(moves).map(([from, to]) => ({ glob: compileGlob(from), to }));
  if (rules.length === 0) return new Map(items);
  const renamed = (path: string): string => {
    for (const { glob, to } of rules) {
      const moved = renameByGlob(glob, to, path);
      if (moved !== undefined) return moved;
    }
    return path;
  };
  const result = new Map<string, Item>();
  for (const item of items.values()) {
    const path = renamed(item.path);
    result.set(path, { ...item, path, ...(item.hardlink === undefined ? {} : { hardlink: renamed(item.hardlink) }) });
  }
  return result;
}

function addition(
  plan: PackagePlan,
  add: Addition,
  originals: ReadonlyMap<string, Item>,
  items: ReadonlyMap<string, Item>,
): Item {
  const mode = add.mode === undefined ? undefined : Number.parseInt(add.mode, 8);
  const extra = {
    user: add.user ?? 'root',
    group: add.group ?? 'root',
    ...(mode === undefined ? {} : { mode }),
    ...(add.config === undefined ? {} : { config: add.config }),
    ...(add.ghost === undefined ? {} : { ghost: true }),
    ...(add['no-verify'] === undefined ? {} : { noVerify: add['no-verify'] }),
  };
  if (add.directory === true) return { ...folder(add.path), ...extra };
  if (add.link !== undefined) return { ...link(add.path, add.link), ...extra };
  if (add.concat !== undefined) {
    const glob = compileGlob(add.concat);
    const matching = [...originals.values()].filter((item) => glob.whole.test(item.path) && item.bytes !== undefined);
    if (matching.length === 0) throw missing(plan, add.concat, 'concat');
    matching.sort(byPath);
    return { ...file(add.path, ''), bytes: { parts: matching.map((item) => item.bytes as Stretch) }, ...extra };
  }
  const source = add['copy-of'];
  if (source === undefined) return { ...file(add.path, add.content ?? ''), ...extra };
  const original = items.get(source) ?? originals.get(source);
  if (original?.bytes === undefined) throw missing(plan, source, 'copy-of');
  return { ...original, path: add.path, mode: 0o644, ...extra };
}

function missing(plan: PackagePlan, path: string, key: string): WeirError {
  return new WeirError('seed-path', `${key}: ${path} is not in the package`, {
    where: { package: plan.name },
    hint: `correct the package's entry in the seed's TOML; the package is made of ${plan.debs.map((deb) => deb.name).join(', ')}`,
  });
}

/** The target of a link; a pattern in it is replaced with the name of the one sibling that matches. */
function found(plan: PackagePlan, items: ReadonlyMap<string, Item>, path: string, target: string): string {
  if (!target.includes('*')) return target;
  const dir = path.slice(0, path.lastIndexOf('/'));
  const glob = compileGlob(`${dir}/${target}`);
  const match = [...items.keys()].filter((candidate) => glob.whole.test(candidate)).sort();
  if (match.length !== 1) throw missing(plan, `${dir}/${target}`, 'links');
  return match[0]!.slice(dir.length + 1);
}

/** Adds parent folders that neither the package nor `filesystem` has. */
function addParents(items: Map<string, Item>, common: ReadonlySet<string>): void {
  for (const path of [...items.keys()]) {
    let parent = path;
    for (;;) {
      parent = parent.slice(0, parent.lastIndexOf('/'));
      if (parent === '' || items.has(parent) || common.has(parent)) break;
      items.set(parent, folder(parent));
    }
  }
}

/** Drops folders whose entire content was removed or moved; keeps folders that were empty from the start. */
function dropEmptied(items: Map<string, Item>, originals: ReadonlyMap<string, Item>): void {
  const full = new Set<string>();
  const parents = (path: string): void => {
    const parent = path.slice(0, path.lastIndexOf('/'));
    if (parent !== '' && !full.has(parent)) {
      full.add(parent);
      parents(parent);
    }
  };
  for (const path of originals.keys()) parents(path);
  const before = new Set(full);
  full.clear();
  for (const item of items.values()) if (item.kind !== 'directory' || !before.has(item.path)) parents(item.path);
  for (const [path, item] of items) {
    if (item.kind === 'directory' && before.has(path) && !full.has(path)) items.delete(path);
  }
}

function attributes(plan: PackagePlan, items: Map<string, Item>): void {
  const { rule } = plan;
  const each = <T>(
    key: string,
    record: Readonly<Record<string, T>> | undefined,
    change: (item: Item, value: T) => Item,
  ) => {
    for (const [pattern, value] of Object.entries(record ?? {})) {
      const glob = compileGlob(pattern);
      let found = false;
      for (const item of items.values()) {
        if (!glob.whole.test(item.path)) continue;
        found = true;
        put(items, change(item, value));
      }
      if (!found) throw missing(plan, pattern, key);
    }
  };
  each('modes', rule.modes, (item, mode) => ({ ...item, mode: Number.parseInt(mode, 8) }));
  each('owners', rule.owners, (item, owner) => {
    const [user, group] = owner.split(':');
    return { ...item, user: user!, group: group! };
  });
  each('capabilities', rule.capabilities, (item, capabilities) => ({ ...item, capabilities }));
  const config = Object.fromEntries((rule.config ?? []).map((pattern) => [pattern, 'noreplace' as const]));
  each('config', config, (item, value) => ({ ...item, config: value }));
}
