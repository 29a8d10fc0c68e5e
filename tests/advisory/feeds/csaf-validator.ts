/** One rule of CSAF's validator. */
type CsafTest = (document: unknown) => Partial<Record<'errors' | 'warnings', readonly CsafFinding[]>> | Promise<object>;

interface CsafFinding {
  readonly instancePath: string;
  readonly message?: string;
}

const library = '@secvisogram/csaf-validator-lib';

/** What the strict schema of CSAF 2.0 finds in a document, one line each. */
export function csafSchemaFindings(document: unknown): Promise<string[]> {
  return findings(document, ['schemaTests'], (name) => name === 'csaf_2_0_strict');
}

/** The same for the schema, all mandatory tests and all optional ones. */
export function csafFindings(document: unknown): Promise<string[]> {
  const modules = ['schemaTests', 'mandatoryTests', 'optionalTests'];
  return findings(document, modules, (name) => name !== 'csaf_2_0');
}

async function findings(
  document: unknown,
  modules: readonly string[],
  isWanted: (name: string) => boolean,
): Promise<string[]> {
  const found: string[] = [];
  for (const module of modules) {
    // The package has no types.
    const tests = (await import(`${library}/${module}.js`)) as Readonly<Record<string, CsafTest>>;
    for (const [name, run] of Object.entries(tests)) {
      if (!isWanted(name)) continue;
      const { errors = [], warnings = [] } = (await run(document)) as Awaited<ReturnType<CsafTest>> &
        Partial<Record<'errors' | 'warnings', readonly CsafFinding[]>>;
      found.push(
        ...[...errors, ...warnings].map(({ instancePath, message = '' }) => `${name} ${instancePath}: ${message}`),
      );
    }
  }
  return found;
}
