import { originOf, problem, suggestion } from '../toml/document.ts';
import type { TomlPath } from '../toml/place.ts';
import type { Problems } from '../toml/problems.ts';
import type { Collected } from './collect.ts';
import { packagePublishOf } from './layer.ts';
import { defined, filled } from './merge.ts';
import type { PackageGroup } from './model/component.ts';
import type { RawComponent, RawPackageConfig } from './schema/component.ts';

/** The package groups. Problems are `duplicate-package`: a package may be in one group only. */
export function packageGroupsOf(collected: Collected, problems: Problems): Map<string, PackageGroup> {
  const owners = new Map<string, string>();
  const groups = new Map<string, PackageGroup>();
  for (const [name, { raw, document, path }] of collected.packageGroups) {
    const packages = (raw.packages ?? []).filter((one, index) => {
      const owner = owners.get(one);
      owners.set(one, owner ?? name);
      if (owner === undefined) return true;
      const message = owner === name ? `package ${one} is listed twice` : `package ${one} is already in group ${owner}`;
      problems.check(() => {
        throw problem(document, [...path, 'packages', index], 'duplicate-package', message, {
          hint: 'a package may be in one group only: remove one of the two',
        });
      });
      return false;
    });
    groups.set(
      name,
      defined({
        name,
        description: filled(raw.description),
        packages,
        publish: packagePublishOf(raw['default-package-config']),
        origin: originOf(document, path),
      }),
    );
  }
  return groups;
}

/** Checks the channels that the files name against those of `[release]`. Problems are `unknown-channel`. */
export function checkChannels(collected: Collected, channels: readonly string[], problems: Problems): void {
  const known = new Set([...channels, 'none', '']);
  for (const document of collected.documents) {
    for (const [path, channel] of channelUses(document.data)) {
      if (known.has(channel)) continue;
      const hint = suggestion(channel, channels);
      problems.add(
        problem(document, path, 'unknown-channel', `the release has no channel "${channel}"`, {
          ...(hint === undefined ? {} : { hint }),
        }),
      );
    }
  }
}

type Uses = Generator<readonly [path: TomlPath, channel: string]>;

function* channelUses(data: Collected['documents'][number]['data']): Uses {
  yield* packageUses(['default-package-config'], data['default-package-config']);
  yield* componentUses(['default-component-config'], data['default-component-config']);
  for (const [name, component] of Object.entries(data.components ?? {})) {
    yield* componentUses(['components', name], component);
  }
  for (const [name, group] of Object.entries(data['component-groups'] ?? {})) {
    const path = ['component-groups', name, 'default-component-config'];
    yield* componentUses(path, group['default-component-config']);
  }
  for (const [name, distro] of Object.entries(data.distros ?? {})) {
    for (const [version, one] of Object.entries(distro.versions ?? {})) {
      const path = ['distros', name, 'versions', version, 'default-component-config'];
      yield* componentUses(path, one['default-component-config']);
    }
  }
  for (const [name, group] of Object.entries(data['package-groups'] ?? {})) {
    yield* packageUses(['package-groups', name, 'default-package-config'], group['default-package-config']);
  }
  for (const [name, image] of Object.entries(data.images ?? {})) {
    for (const [index, channel] of (image.publish?.channels ?? []).entries()) {
      yield [['images', name, 'publish', 'channels', index], channel];
    }
  }
  yield* exceptionUses(data.lifecycle?.exceptions);
}

function* exceptionUses(exceptions: readonly { readonly channel?: string | undefined }[] | undefined): Uses {
  for (const [index, { channel }] of (exceptions ?? []).entries())
    if (channel !== undefined) yield [['lifecycle', 'exceptions', index, 'channel'], channel];
}

function* componentUses(path: TomlPath, component: RawComponent | undefined): Uses {
  yield* tableUses([...path, 'publish'], component?.publish);
  for (const [name, config] of Object.entries(component?.packages ?? {})) {
    yield* packageUses([...path, 'packages', name], config);
  }
}

function* packageUses(path: TomlPath, config: RawPackageConfig | undefined): Uses {
  yield* tableUses([...path, 'publish'], config?.publish);
}

function* tableUses(path: TomlPath, table: Readonly<Record<string, string | undefined>> | undefined): Uses {
  for (const [key, channel] of Object.entries(table ?? {})) {
    if (channel !== undefined) yield [[...path, key], channel];
  }
}
