import { expect, it, vi } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { isOffline, refuseOffline } from '../../src/base/network.ts';

it.each([
  [undefined, false],
  ['', false],
  ['0', false],
  ['1', true],
  ['yes', true],
])('WEIR_OFFLINE=%s is offline: %s', (value, expected) => {
  expect(isOffline(value === undefined ? {} : { WEIR_OFFLINE: value })).toBe(expected);
});

it('names the missing item', () => {
  vi.stubEnv('WEIR_OFFLINE', '');
  refuseOffline('the lists are needed');
  vi.stubEnv('WEIR_OFFLINE', '1');
  try {
    refuseOffline('the lists are needed');
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(WeirError);
    expect(error).toMatchObject({ code: 'offline', message: 'the lists are needed, but this run is offline' });
  } finally {
    vi.unstubAllEnvs();
  }
});
