// `WEIR_SCHEMAS=DIR npm run conformance:feeds [-- FOLDER]`: holds feeds against the official schemas of their formats.
//
// FOLDER is `advisories` of a published snapshot; by default, feeds of made-up records are checked that have every state. CSAF is checked by
// its validator: the strict schema, the mandatory and the optional tests. The other schemas are files that this repository must not have:
// `osv.json` (validation/schema.json of ossf/osv-schema), `openvex.json` (openvex_json_schema.json of openvex/spec), `csaf-provider.json` and
// `csaf.json` (provider_json_schema.json and csaf_json_schema.json of oasis-tcs/csaf, 2.0) and `oval/*.xsd` (oval-schemas of OVAL-Community/OVAL). What is missing is "not
// checked". Prints each finding and the counts; exit code 1 if there is a finding.

import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import type { Ajv2020 } from 'ajv/dist/2020.js';
import { validateXML } from 'xmllint-wasm';
import { csafFindings } from '../tests/advisory/feeds/csaf-validator.ts';
import { sampleFeeds } from '../tests/advisory/feeds/sample.ts';

const schemas = process.env.WEIR_SCHEMAS;
const [folder] = process.argv.slice(2);
const files = folder === undefined ? sampleFiles() : await filesOf(folder);

const checks = [
  { name: 'CSAF', pattern: /^csaf\/\d{4}\/[^/]+\.json$/, check: csafProblems },
  {
    name: 'CSAF provider',
    pattern: /^csaf\/provider-metadata\.json$/,
    check: await bySchema('csaf-provider.json', 'csaf.json'),
  },
  { name: 'OSV', pattern: /^osv\/[^/]+\.json$/, check: await bySchema('osv.json') },
  { name: 'OpenVEX', pattern: /^openvex\.json$/, check: await bySchema('openvex.json') },
  { name: 'OVAL', pattern: /^oval\.xml$/, check: await byXsd('oval') },
] as const;

let failed = false;
for (const { name, pattern, check } of checks) {
  const those = [...files].filter(([path]) => pattern.test(path));
  if (check === undefined || those.length === 0) {
    const why = check === undefined ? 'WEIR_SCHEMAS has no schema of it' : 'there is no file';
    process.stdout.write(`${name}: not checked: ${why}\n`);
    continue;
  }
  const found: string[] = [];
  for (const [path, text] of those) found.push(...(await check(text)).map((each) => `${path}: ${each}`));
  for (const each of found) process.stdout.write(`${each}\n`);
  process.stdout.write(`${name}: ${those.length} files, ${found.length} findings\n`);
  failed ||= found.length > 0;
}
process.exitCode = failed ? 1 : 0;

type Check = (text: string) => Promise<string[]>;

async function csafProblems(text: string): Promise<string[]> {
  const found = await csafFindings(JSON.parse(text));
  // A record without a CVSS vector has no score.
  return found.filter((each) => !each.startsWith('optionalTest_6_2_3 '));
}

async function schemaText(path: string): Promise<string | undefined> {
  return schemas === undefined ? undefined : readFile(join(schemas, path), 'utf8').catch(() => undefined);
}

/** @param base a schema that it refers to */
async function bySchema(path: string, base?: string): Promise<Check | undefined> {
  const text = await schemaText(path);
  const referred = base === undefined ? '{}' : await schemaText(base);
  if (text === undefined || referred === undefined) return undefined;
  const load = createRequire(import.meta.url);
  const ajv = new (load('ajv/dist/2020').default as typeof Ajv2020)({ strict: false, allErrors: true, logger: false });
  (load('ajv-formats').default as (to: unknown) => void)(ajv);
  const { properties, ...rest } = JSON.parse(referred) as { properties?: { document: object } };
  // What it refers to is in there; the rest refers to more files.
  if (properties !== undefined) ajv.addSchema({ ...rest, properties: { document: properties.document } });
  const valid = ajv.compile(JSON.parse(text) as object);
  return async (document) => {
    if (valid(JSON.parse(document))) return [];
    return (valid.errors ?? []).map(({ instancePath, message = '' }) => `${instancePath} ${message}`);
  };
}

async function byXsd(path: string): Promise<Check | undefined> {
  const dir = schemas === undefined ? undefined : join(schemas, path);
  const names = dir === undefined ? [] : (await readdir(dir).catch(() => [])).filter((name) => name.endsWith('.xsd'));
  if (dir === undefined || !names.includes('oval-definitions-schema.xsd')) return undefined;
  const texts = names.map(async (fileName) => ({ fileName, contents: await readFile(join(dir, fileName), 'utf8') }));
  const preload = await Promise.all(texts);
  const namespace = 'http://oval.mitre.org/XMLSchema/oval-definitions-5';
  const imported = [
    [namespace, 'oval'],
    [`${namespace}#linux`, 'linux'],
    [`${namespace}#independent`, 'independent'],
  ].map(([name, file]) => `<xsd:import namespace="${name}" schemaLocation="${file}-definitions-schema.xsd"/>`);
  const all = `<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema">${imported.join('')}</xsd:schema>`;
  return async (text) => {
    const xml = [{ fileName: 'feed.xml', contents: text }];
    const { errors } = await validateXML({ xml, schema: [{ fileName: 'all.xsd', contents: all }], preload });
    return errors.map(({ rawMessage }) => rawMessage);
  };
}

function sampleFiles(): ReadonlyMap<string, string> {
  return new Map([...sampleFeeds().files].map(([path, text]) => [path.replace(/^advisories\//, ''), text]));
}

async function filesOf(dir: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const found = new Map<string, string>();
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    found.set(relative(dir, path), await readFile(path, 'utf8'));
  }
  return found;
}
