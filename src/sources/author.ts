import { WeirError } from '../base/errors.ts';
import { run } from '../base/process.ts';
import { gitEnvironment } from './git-run.ts';

/** `NAME <EMAIL>` in two parts. */
export interface Author {
  readonly name: string;
  readonly email: string;
}

/**
 * The author that git would use in a folder of the project.
 * @param option of the command that names another author
 * @throws WeirError (exit 2) `no-author`
 */
export async function projectAuthor(root: string, option: '--author' | '--by'): Promise<Author> {
  const { code, stdout } = await run(['git', '-C', root, 'var', 'GIT_AUTHOR_IDENT'], { env: gitEnvironment() });
  const match = /^(.*) <(.*)> \d+ [+-]\d+$/.exec(stdout.trim());
  if (code === 0 && match !== null) return { name: match[1]!, email: match[2]! };
  throw new WeirError('no-author', 'git does not know who you are', {
    hint: `set user.name and user.email in git, or name the author with ${option}`,
    exit: 2,
  });
}
