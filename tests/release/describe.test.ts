import { expect, it } from 'vitest';
import { configuredPackages } from '../../src/release/describe.ts';
import { load } from '../project/fixture.ts';

it('lists the configured packages with the channel of the most specific setting', async () => {
  const project = await load(`
[default-package-config.publish]
rpm-channel = "base"
debuginfo-channel = "debug"
[components.curl]
publish = { rpm-channel = "net" }
packages.curl-minimal.publish.rpm-channel = "none"
packages.libcurl.publish = {}
packages.curl-debuginfo.publish = {}
[package-groups.devel]
packages = ["libcurl", "zlib-devel"]
default-package-config.publish.rpm-channel = "sdk"
`);
  expect(configuredPackages(project)).toEqual([
    { package: 'curl-debuginfo', component: 'curl', group: undefined, channel: 'debug' },
    { package: 'curl-minimal', component: 'curl', group: undefined, channel: undefined },
    { package: 'libcurl', component: 'curl', group: 'devel', channel: 'sdk' },
    { package: 'zlib-devel', component: undefined, group: 'devel', channel: 'sdk' },
  ]);
});
