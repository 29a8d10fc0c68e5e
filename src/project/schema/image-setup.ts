import { z } from 'zod';
import { filledTexts, flag, text } from './words.ts';

/** Rules that other descriptions of images have in common with this one. */
export const setupRules = {
  path: /^\/(?!.*(^|\/)\.\.?(\/|$))(?!.*\/\/)(?!\/)[^\p{Cc}]*[^\p{Cc}/]$/u,
  /** A path in a field of /etc/passwd. */
  passwdPath: /^\/(?!.*(^|\/)\.\.?(\/|$))(?!.*\/\/)(?!\/)[^:\p{Cc}]*[^:\p{Cc}/]$/u,
  /** Linux has at most 32 characters for it in the records of logins, systemd 31. */
  account: /^[a-z_][a-z0-9_-]{0,30}$/,
  passwdField: /^[^:\p{Cc}]*$/u,
} as const;

/** A path in an image. */
export const absolutePath = z.string().regex(setupRules.path, 'must be an absolute path without "." and ".."');
/** A path in a field of /etc/passwd. */
export const passwdPath = z
  .string()
  .regex(setupRules.passwdPath, 'must be an absolute path without ".", ".." and a colon');
/** The name of an account or a group. */
export const accountName = z
  .string()
  .regex(
    setupRules.account,
    'a name has at most 31 small letters, digits, "_" and "-", and begins with a letter or "_"',
  );
const passwdField = z.string().regex(setupRules.passwdField, 'must be one line without a colon');

export const setupSchema = z
  .strictObject({
    locale: z
      .string()
      .regex(/^[A-Za-z0-9_.@-]+$/, 'must be a locale')
      .optional()
      .describe('System locale, such as "en_US.UTF-8"'),
    keymap: z
      .string()
      .regex(/^[A-Za-z0-9_.-]+$/, 'must be a keyboard map')
      .optional()
      .describe('Keyboard map of the console'),
    timezone: z
      .string()
      .regex(/^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+)*$/, 'must be a time zone')
      .optional()
      .describe('Time zone, such as "Europe/Berlin"'),
    'exclude-docs': flag('Whether to leave out files that packages mark as documentation'),
    languages: z
      .array(z.string().regex(/^[A-Za-z0-9_.@-]+$/, 'must be a locale'))
      .optional()
      .describe('Locales whose files to install, such as "en_US"; by default all'),
    overlays: filledTexts('Folders, relative to this file, that are laid over the root in this order'),
    files: z
      .array(
        z.strictObject({
          from: z.string().min(1, 'must not be empty').optional().describe('File, relative to this file'),
          content: text('Content of the file'),
          to: absolutePath.describe('Path in the image'),
          mode: z
            .string()
            .regex(/^0?[0-7]{3,4}$/, 'a mode is written in octal, such as "0755"')
            .optional()
            .describe('Permissions; by default "0755" for an executable file, otherwise "0644"'),
        }),
      )
      .optional()
      .describe('Files to add, after the overlays'),
    users: z
      .array(
        z.strictObject({
          name: accountName.describe('Name of the account'),
          id: z.int().min(0).max(4_294_967_294).optional().describe('User ID; by default a free one from 1000'),
          'password-hash': passwdField.optional().describe('Password in the form of crypt(5); by default none'),
          'full-name': passwdField.optional().describe('Full name'),
          home: passwdPath.optional().describe('Home folder; by default /home and the name'),
          shell: passwdPath.optional().describe('Shell; by default /bin/bash, or /bin/sh in an image without bash'),
          groups: z
            .array(
              z
                .string()
                .regex(/^[a-z_][a-z0-9_-]*(:\d{1,9})?$/, 'must be a group, with a number after a colon if it is new'),
            )
            .optional()
            .describe('Groups; the first one is the primary group'),
        }),
      )
      .optional()
      .describe('Accounts to add or change'),
    scripts: z
      .array(
        z.strictObject({
          path: absolutePath.describe('Path in the image'),
          optional: flag('Whether it may be missing'),
          remove: flag('Whether to remove it when it has run'),
        }),
      )
      .optional()
      .describe('Scripts that run in the finished tree, in this order'),
    environment: z
      .record(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be a name of a variable'),
        z.string().regex(/^([^\p{Cc}]|[\t\n])*$/u, 'contains a control character'),
      )
      .optional()
      .describe('Variables for the scripts'),
    temporary: z.array(absolutePath).optional().describe('Paths to remove after the scripts'),
  })
  .describe('What to change in the tree that the packages make');
