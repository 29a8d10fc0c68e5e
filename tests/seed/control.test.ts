import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { run } from '../../src/base/process.ts';
import { compareEvr, formatEvr, parseEvr } from '../../src/rpm/version.ts';
import { constraintEvr, parseRelations, parseStanzas, rpmArch, rpmVersion } from '../../src/seed/control.ts';

describe('stanzas', () => {
  it('joins continuation lines and splits at blank lines', () => {
    const text = 'Package: a\nDescription: short\n long\n .\n more\n# note\nVersion: 1\n\n\nPackage: b\r\n';
    const stanzas = parseStanzas(text);
    expect(stanzas.map((stanza) => stanza.get('package'))).toEqual(['a', 'b']);
    expect(stanzas[0]!.get('description')).toBe('short\nlong\n.\nmore');
    expect(stanzas[0]!.get('version')).toBe('1');
  });

  it('skips a continuation without a field', () => {
    expect(parseStanzas(' lost\nno field\n\n')).toEqual([]);
  });
});

describe('relations', () => {
  it('reads alternatives, versions and qualifiers', () => {
    expect(parseRelations('libc6 (>= 2.41), a | b:any (<<1~), c:amd64, d (= 1:2-3) [amd64]')).toEqual([
      [{ name: 'libc6', operator: '>=', version: '2.41' }],
      [{ name: 'a' }, { name: 'b', operator: '<<', version: '1~' }],
      [{ name: 'c' }],
      [{ name: 'd', operator: '=', version: '1:2-3' }],
    ]);
  });

  it('reads < and > as <= and >=', () => {
    expect(parseRelations('a (< 2), b (> 2)')).toEqual([
      [{ name: 'a', operator: '<=', version: '2' }],
      [{ name: 'b', operator: '>=', version: '2' }],
    ]);
  });

  it('is empty without a field', () => {
    expect(parseRelations(undefined)).toEqual([]);
    expect(parseRelations('')).toEqual([]);
  });
});

describe('versions', () => {
  it.each([
    ['2.43-7', 0, '2.43', '7'],
    ['1:2.3-4+b1', 1, '2.3', '4+b1'],
    ['3.25', 0, '3.25', '0'],
    ['1.0-rc1-2', 0, '1.0.rc1', '2'],
    ['2:1.0~beta+dfsg-1~deb13u1', 2, '1.0~beta+dfsg', '1~deb13u1'],
    ['1:4.16.0-2+really2.42.4-1', 1, '4.16.0.2+really2.42.4', '1'],
  ])('%s', (debian, epoch, version, release) => {
    expect(rpmVersion(debian)).toEqual({ epoch, version, release });
  });

  it('always includes a release in a constraint, so > 2.41 matches 2.41-12', () => {
    expect(constraintEvr('2.41')).toBe('2.41-0');
    expect(compareEvr(parseEvr('2.41-12'), parseEvr(constraintEvr('2.41')))).toBe(1);
  });

  it('produces only characters that RPM accepts', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'binary-ascii' }), (text) => {
        const evr = rpmVersion(`1${text}`);
        expect(evr.version).toMatch(/^[A-Za-z0-9._+~^]+$/);
        expect(evr.release).toMatch(/^[A-Za-z0-9._+~^]+$/);
      }),
      { examples: [[':'], ['-'], [':-']] },
    );
  });

  it('maps architecture names', () => {
    expect(['all', 'amd64', 'arm64', 'riscv64'].map(rpmArch)).toEqual(['noarch', 'x86_64', 'aarch64', 'riscv64']);
  });

  // Versions of the forms found in the archive, in dpkg's order (checked below against dpkg itself).
  const ascending = [
    '0~20240101-1',
    '0.9-1',
    '1.0~beta1-1',
    '1.0~rc1-1',
    '1.0-0',
    '1.0-1~deb13u1',
    '1.0-1',
    '1.0-1+b1',
    '1.0-1+b2',
    '1.0-1+deb13u1',
    '1.0-1.1',
    '1.0-2',
    '1.0-10',
    '1.0+dfsg-1',
    '1.0+dfsg1-1',
    '1.0+really0.9-1',
    '1.0.1-1',
    '1.1-1',
    '1.10-1',
    '2026f-1',
    '20260816+nmu1',
    '1:0.1-1',
  ];

  it('keeps dpkg’s order', async () => {
    for (let i = 0; i < ascending.length; i++) {
      for (let j = 0; j < ascending.length; j++) {
        const [a, b] = [ascending[i]!, ascending[j]!];
        const order = compareEvr(parseEvr(formatEvr(rpmVersion(a))), parseEvr(formatEvr(rpmVersion(b))));
        expect(`${a} ${order} ${b}`).toBe(`${a} ${Math.sign(i - j)} ${b}`);
      }
    }
    for (let i = 0; i + 1 < ascending.length; i++) {
      const dpkg = await run(['dpkg', '--compare-versions', ascending[i]!, 'lt', ascending[i + 1]!]);
      expect(`${ascending[i]} < ${ascending[i + 1]}: ${dpkg.code}`).toBe(`${ascending[i]} < ${ascending[i + 1]}: 0`);
    }
  });
});
