import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { decodeCapabilities, encodeCapabilities } from '../../src/tree/capabilities.ts';

describe('the text of file capabilities', () => {
  it.each(['cap_net_raw=ep', 'cap_net_bind_service,cap_sys_nice=ep', 'cap_chown=p', 'cap_setuid=ip', '='])(
    '%s',
    (text) => {
      expect(decodeCapabilities(encodeCapabilities(text))).toBe(text);
    },
  );

  test('has a clause for each set of flags', () => {
    expect(decodeCapabilities(encodeCapabilities('cap_chown=p cap_kill=i'))).toBe('cap_chown=p cap_kill=i');
    expect(decodeCapabilities(encodeCapabilities('cap_chown=ep cap_kill+ei'))).toBe('cap_chown=ep cap_kill=ei');
  });

  test('means the same bytes again', () => {
    const set = fc.bigInt(0n, (1n << 41n) - 1n);
    fc.assert(
      fc.property(set, set, fc.boolean(), (permitted, inheritable, effective) => {
        const bytes = Buffer.alloc(20);
        bytes.writeUInt32LE(0x02000000 | (effective && (permitted | inheritable) !== 0n ? 1 : 0), 0);
        for (const [half, at] of [
          [0n, 4],
          [32n, 12],
        ] as const) {
          bytes.writeUInt32LE(Number((permitted >> half) & 0xffffffffn), at);
          bytes.writeUInt32LE(Number((inheritable >> half) & 0xffffffffn), at + 4);
        }
        expect(encodeCapabilities(decodeCapabilities(bytes))).toEqual(bytes);
      }),
    );
  });

  test('the owner of a user namespace is left out; other forms are errors', () => {
    const version3 = Buffer.concat([encodeCapabilities('cap_net_raw=ep'), Buffer.alloc(4, 1)]);
    version3.writeUInt32LE(0x03000001, 0);
    expect(decodeCapabilities(version3)).toBe('cap_net_raw=ep');
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(20), Buffer.alloc(12, 1)]) {
      expect(() => decodeCapabilities(bytes)).toThrow(/file capabilities/);
    }
  });
});
