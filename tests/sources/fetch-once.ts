// A process of its own that reads a commit through the store: `node fetch-once.ts CACHE URL BRANCH`; prints the commit.
import { commitFiles } from '../../src/sources/git-checkout.ts';
import { resolveCommit } from '../../src/sources/git-revision.ts';
import { openGitStore, openRepository } from '../../src/sources/git-store.ts';

const [cache = '', url = '', branch = ''] = process.argv.slice(2);
const repository = await openRepository(openGitStore(cache), url);
const commit = await resolveCommit(repository, { branch });
await commitFiles(repository, commit);
process.stdout.write(`${commit}\n`);
