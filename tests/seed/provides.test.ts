import { describe, expect, it } from 'vitest';
import { bytesReader } from '../../src/archive/read-at.ts';
import { pkgconfigProvide } from '../../src/seed/pkgconfig.ts';
import { accounts, fileProvides } from '../../src/seed/provides.ts';

function provides(path: string, content: string): string[] {
  const bytes = Buffer.from(content);
  return fileProvides(path, bytes.length, bytesReader(bytes)).map((one) => [one.name, one.evr ?? ''].join(' ').trim());
}

describe('pkg-config files', () => {
  it('provide their module with its version, variables expanded', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: pkg-config's own variables
    const content = 'major=1\nver=${major}.3-rc1\nName: zlib\nVersion: ${ver}\n';
    expect(pkgconfigProvide('/usr/lib/pkgconfig/zlib.pc', content)).toEqual({
      name: 'pkgconfig(zlib)',
      flags: '=',
      evr: '1.3.rc1',
    });
  });

  it('need no version; other files provide nothing', () => {
    expect(pkgconfigProvide('/usr/lib/pkgconfig/x.pc', 'Name: x\n')).toEqual({ name: 'pkgconfig(x)', flags: '' });
    expect(pkgconfigProvide('/usr/lib/x.txt', 'Version: 1')).toBeUndefined();
  });
});

describe('languages', () => {
  it.each([
    ['/usr/share/perl5/XML/SAX.pm', '', ['perl(XML::SAX)']],
    ['/usr/share/perl/5.42.3/File/Temp.pm', '', ['perl(File::Temp)']],
    ['/usr/lib/x86_64-linux-gnu/perl-base/strict.pm', '', ['perl(strict)']],
    ['/usr/share/automake-1.19/Automake/Channels.pm', '', []],
    [
      '/usr/lib/python3/dist-packages/PyYAML-6.0.dist-info/METADATA',
      'Name: Py_YAML\nVersion: 6.0\n',
      ['python3dist(py-yaml) 6.0'],
    ],
    ['/usr/lib/libx.so.1', 'not an ELF file', []],
  ])('%s', (path, content, expected) => {
    expect(provides(path, content)).toEqual(expected);
  });
});

describe('accounts', () => {
  it('contain the line in base64 as rpm decodes it', () => {
    const [user, group, plain] = accounts(
      '# note\nu _chrony 185 "Chrony Daemon" /var/lib/chrony -\n\ng kvm 36 -\nz x\n',
    );
    expect(user!.name).toBe('user(_chrony)');
    expect(Buffer.from(user!.evr!, 'base64').toString().replace(/\0+$/, '')).toBe(
      'u _chrony 185 "Chrony Daemon" /var/lib/chrony -',
    );
    expect(user!.evr).not.toContain('=');
    expect(group).toEqual({ name: 'group(_chrony)', flags: '' });
    expect(plain!.name).toBe('group(kvm)');
  });

  it('include members of groups', () => {
    expect(accounts('m alice wheel')[0]!.name).toBe('groupmember(alice/wheel)');
  });
});

it('exponential or circular variables are dropped', () => {
  const lines = Array.from({ length: 60 }, (_, index) => `v${index + 1}=\${v${index}}\${v${index}}`);
  const content = `v0=1234567890\n${lines.join('\n')}\nVersion: \${v60}\n${' '.repeat(200_000)}x = ${' '.repeat(200_000)}y\n`;
  const read = bytesReader(Buffer.from(content));
  expect(fileProvides('/usr/lib/pkgconfig/x.pc', content.length, read)).toEqual([{ name: 'pkgconfig(x)', flags: '' }]);
});
