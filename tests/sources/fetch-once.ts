// A process of its own that reads a commit through the store: `node fetch-once.ts CACHE URL BRANCH`; prints the commit.
import { commitFiles, openGitStore, openRepository, resolveCommit } from '../../src/sources/git.ts';

const [cache = '', url = '', branch = ''] = process.argv.slice(2);
const repository = await openRepository(openGitStore(cache), url);
const commit = await resolveCommit(repository, { branch });
await commitFiles(repository, commit);
process.stdout.write(`${commit}\n`);
