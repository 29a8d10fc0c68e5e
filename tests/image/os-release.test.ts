import { expect, test } from 'vitest';
import { osReleaseSettings } from '../../src/image/os-release.ts';

test('settings are read without their quotes; comments and other lines are not settings', () => {
  const text = 'NAME="Weir Linux"\nID=weir\nVERSION_ID=\'4.0\'\n# PRETTY_NAME="x"\nnothing\nEMPTY=""\n';
  expect(osReleaseSettings(text)).toEqual({ NAME: 'Weir Linux', ID: 'weir', VERSION_ID: '4.0', EMPTY: '' });
});
