import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileDigest, sha256 } from '../../src/base/digest.ts';
import { openStore, putBytes, type Store } from '../../src/engine/store.ts';
import { dataExtents, hashSparse } from '../../src/image/digest.ts';
import { makeDisk, makeSparse, partitionTypes, rawToQcow2, rawToVhd } from '../../src/image/disk.ts';
import { makeEsp } from '../../src/image/esp.ts';
import { checkExt4, ext4Size, makeExt4 } from '../../src/image/ext4.ts';
import { seededUuid } from '../../src/image/uuid.ts';
import { vhdFooter } from '../../src/image/vhd.ts';
import { runTool, type Toolbox } from '../../src/toolbox/tool.ts';
import type { Entry, Tree } from '../../src/tree/tree.ts';

const epoch = 1_790_000_000;
const mebibyte = 1 << 20;

/** Has the field's tools make file systems and disks out of a small tree, and read them back. */
export function imageAcceptance(toolboxOf: () => Promise<Toolbox>): void {
  describe('disks', () => {
    let toolbox: Toolbox;
    let folder: string;
    let store: Store;
    let tree: Tree;
    beforeAll(async () => {
      toolbox = await toolboxOf();
      folder = await mkdtemp(join(tmpdir(), 'weir-image-'));
      store = await openStore(join(folder, 'store'));
      tree = await sampleTree(store);
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    const tool = async (dir: string, ...argv: string[]): Promise<string> =>
      (await runTool(toolbox, { argv, binds: [{ from: dir, writable: true }] })).stdout;
    /** A disk with both partitions in a new folder. */
    const disk = async (name: string): Promise<{ dir: string; raw: string; offset: number }> => {
      const dir = join(folder, name);
      const work = join(folder, `${name}-work`);
      await mkdir(dir);
      await mkdir(work);
      const boot = join(work, 'boot.txt');
      await writeFile(boot, 'boot me');
      const raw = join(dir, 'disk.raw');
      const layout = await makeDisk(toolbox, raw, {
        uuid: seededUuid('sample', 'disk'),
        size: 300 * mebibyte,
        partitions: [
          {
            name: 'esp',
            type: partitionTypes.esp,
            uuid: seededUuid('sample', 'esp'),
            size: 40 * mebibyte,
            fill: (target) =>
              makeEsp(toolbox, target, {
                label: 'ESP',
                volumeId: '0badcafe',
                epoch,
                files: { 'EFI/BOOT/BOOTX64.EFI': boot, 'EFI/Linux/a long name+1.efi': boot },
              }),
          },
          {
            name: 'root',
            type: partitionTypes.rootX86_64,
            uuid: seededUuid('sample', 'root'),
            size: ext4Size(tree),
            fill: async (target) => {
              const uuid = seededUuid('sample', 'file system');
              const options = { label: 'root', uuid, uuidSeed: 'sample', epoch, selinux: true };
              await makeExt4(toolbox, store, tree, target, work, options);
              await checkExt4(toolbox, target);
            },
          },
        ],
      });
      return { dir, raw, offset: layout.parts[1]!.offset };
    };

    test('the same tree gives the same bytes in every format', async () => {
      const digests: string[][] = [];
      for (const name of ['once', 'again']) {
        const { dir, raw } = await disk(name);
        const [qcow2, vhd] = [join(dir, 'disk.qcow2'), join(dir, 'disk.vhd')];
        await rawToQcow2(toolbox, raw, qcow2);
        await rawToVhd(toolbox, raw, vhd, { epoch, uuid: seededUuid('sample', 'vhd') });
        digests.push([await fileDigest(raw), await fileDigest(qcow2), await fileDigest(vhd)]);
        if (name === 'once') {
          await tool(dir, 'qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2', raw, qcow2);
          await tool(dir, 'qemu-img', 'compare', '-f', 'raw', '-F', 'vpc', raw, vhd);
          // What is hashed without reading the holes is what everybody else hashes.
          const hash = await hashSparse(raw, await dataExtents(toolbox, raw));
          const { size } = await stat(raw);
          const footer = vhdFooter({ size, epoch, uuid: seededUuid('sample', 'vhd') });
          const hashed = [hash.copy().digest('hex'), hash.copy().update(footer).digest('hex')];
          expect(hashed).toEqual([digests[0]![0], digests[0]![2]]);
        }
      }
      expect(digests[0]).toEqual(digests[1]);
    });

    test('the file system has owners, modes, times, links and attributes', async () => {
      const { dir, raw, offset } = await disk('inspected');
      const ask = (command: string) => tool(dir, 'debugfs', '-R', command, `${raw}?offset=${offset}`);
      const ping = await ask('stat /usr/bin/ping');
      expect(ping).toMatch(/Type: regular\s+Mode:\s+04755/);
      expect(ping).toMatch(/User:\s+0\s+Group:\s+5\s/);
      expect(ping).toMatch(/Links: 2 /);
      expect(ping).toMatch(/mtime: 0x3b9aca00:/);
      expect(await ask('ea_get -x /usr/bin/ping security.capability')).toMatch(/01 ?00 ?00 ?02 ?00 ?20 ?00 ?00/);
      expect(await ask('ea_get /usr/bin/ping security.selinux')).toContain('system_u:object_r:ping_exec_t:s0');
      expect(await ask('ea_get "/etc/a ""quoted"" name" security.selinux')).toContain('system_u:object_r:etc_t:s0');
      expect(await ask('stat /etc/late')).toMatch(/mtime: 0x6ab13b80:/);
      expect(await ask('stat /bin')).toContain('Fast link dest: "usr/bin"');
    });

    test('the partition table and the EFI system partition are valid for firmware', async () => {
      const { dir, raw } = await disk('table');
      const table = JSON.parse(await tool(dir, 'sfdisk', '--json', raw)).partitiontable;
      expect(table.id).toBe(seededUuid('sample', 'disk').toUpperCase());
      expect(table.partitions.map((part: { type: string }) => part.type.toLowerCase())).toEqual([
        partitionTypes.esp,
        partitionTypes.rootX86_64,
      ]);
      await tool(dir, 'sfdisk', '--verify', raw);
      const esp = join(dir, 'esp.img');
      await makeSparse(esp, 0);
      await tool(dir, 'dd', `if=${raw}`, `of=${esp}`, 'bs=1M', 'skip=1', 'count=40', 'status=none');
      await tool(dir, 'fsck.vfat', '-n', esp);
      await tool(dir, 'mcopy', '-i', esp, '::/EFI/Linux/a long name+1.efi', join(dir, 'out'));
      expect(await readFile(join(dir, 'out'), 'utf8')).toBe('boot me');
    });

    test.each([
      ['for the journal', 80],
      ['for the content', 256],
    ])('a root that is too small %s is a clear error', async (_, mebibytes) => {
      const file = join(folder, `small-${mebibytes}.img`);
      const size = mebibytes * mebibyte;
      const work = join(folder, `small-work-${mebibytes}`);
      await mkdir(work);
      await makeSparse(file, size);
      const large = { path: '/z', ...(await putBytes(store, Buffer.alloc(200 * mebibyte, 1))) };
      const entries = [...tree.entries, { ...tree.entries[1]!, kind: 'file', ...large } as Entry];
      const options = { label: 'x', uuid: seededUuid('x', 'x'), uuidSeed: 'x', epoch, selinux: false };
      const made = makeExt4(toolbox, store, { ...tree, entries }, { file, offset: 0, size }, work, options);
      await expect(made).rejects.toMatchObject({ code: 'image-too-small' });
    });

    test('an unreadable tree is an error, without a partial root', async () => {
      const file = join(folder, 'lost.img');
      await makeSparse(file, 200 * mebibyte);
      const lost = { ...tree.entries[1]!, kind: 'file', path: '/z', digest: sha256('never stored'), size: 9 } as Entry;
      const options = { label: 'x', uuid: seededUuid('x', 'x'), uuidSeed: 'x', epoch, selinux: false };
      const target = { file, offset: 0, size: 200 * mebibyte };
      const made = makeExt4(toolbox, store, { ...tree, entries: [...tree.entries, lost] }, target, folder, options);
      await expect(made).rejects.toMatchObject({ code: 'missing-blob' });
    });
  });
}

/** Some of each kind of entry. */
export async function sampleTree(store: Store): Promise<Tree> {
  const base = { user: 'root', group: 'root', mode: 0o755, mtime: 1_000_000_000, packages: [] };
  const label = (type: string) => ({ label: `system_u:object_r:${type}:s0` });
  const ping = { ...base, ...label('ping_exec_t'), kind: 'file', group: 'tty', mode: 0o4755 } as const;
  const elf = await putBytes(store, Buffer.alloc(5000, 7));
  const caps = { capabilities: 'cap_net_raw=ep' };
  const entries: Entry[] = [
    { ...base, kind: 'directory', path: '/' },
    { ...base, kind: 'symlink', path: '/bin', target: 'usr/bin', mode: 0o777 },
    { ...base, kind: 'directory', path: '/etc', ...label('etc_t') },
    { ...base, kind: 'file', path: '/etc/a "quoted" name', ...(await putBytes(store, 'x')), ...label('etc_t') },
    { ...base, kind: 'file', path: '/etc/group', ...(await putBytes(store, 'root:x:0:\ntty:x:5:\n')) },
    { ...base, kind: 'file', path: '/etc/late', ...(await putBytes(store, '')), mtime: epoch + 1000 },
    { ...base, kind: 'directory', path: '/usr' },
    { ...base, kind: 'directory', path: '/usr/bin' },
    { ...ping, path: '/usr/bin/ping', ...elf, ...caps },
    { ...ping, path: '/usr/bin/ping6', ...elf, ...caps, hardlink: '/usr/bin/ping' },
    { ...base, kind: 'directory', path: `/usr/${'long'.repeat(40)}` },
    { ...base, kind: 'file', path: `/usr/${'long'.repeat(40)}/ünicode`, ...(await putBytes(store, 'y')) },
  ];
  return { entries, packages: [] };
}
