import { basename, dirname, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { examples, type GlobalOptions, printResult } from '../program.ts';

interface ImportOptions {
  readonly profile?: string;
  readonly name?: string;
  readonly arch: string;
  readonly config?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<file>', 'KIWI description, a .kiwi file')
    .option('--profile <names>', 'profiles of the description, separated by commas; default: those with import="true"')
    .option('--name <name>', 'name of the image; default: that of the profile or of the description')
    .addOption(new Option('--arch <arch>', 'architecture').choices(['x86_64', 'aarch64']).default('x86_64'))
    .option('--config <file>', "KIWI's runtime configuration, as in kiwi-config-override")
    .addHelpText(
      'after',
      examples([
        'weir image import images/server.kiwi',
        'weir image import images/all.kiwi --profile core --name container-base > images/container-base.toml',
        "weir image import images/all.kiwi --profile core --json | jq '.definition.packages'",
      ]),
    )
    .action(async (file: string, options: ImportOptions) => {
      const settings = globals();
      const [{ kiwiImage }, { printImage }] = await Promise.all([
        import('../../kiwi/kiwi-image.ts'),
        import('../../kiwi/print.ts'),
      ]);
      const path = resolve(file);
      const { arch, config } = options;
      // The program's own --profile takes the value; this command reads no project, so nothing else uses it.
      const profile = options.profile ?? settings.profile;
      const made = kiwiImage(
        { path, ...(profile === undefined ? {} : { profile }) },
        arch,
        config === undefined ? undefined : resolve(config),
      );
      const { profiles, name: own } = made.resolved;
      const name = options.name ?? profiles[0] ?? own;
      const { definition, differences } = made;
      const from = [
        `From ${basename(path)}${profiles.length === 0 ? '' : `, profiles ${profiles.join(', ')}`}, for ${arch}.`,
        'Paths are relative to its folder.',
      ];
      printResult(
        settings,
        { name, arch, profiles, definition, differences },
        printImage(name, made, dirname(path), from).trimEnd(),
      );
    });
}
