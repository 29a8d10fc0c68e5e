import type { Comparison, DependencyUse, ScriptFlag, ScriptletKind } from './types.ts';

/** Numbers of the header tags that Weir reads or writes; source: rpm's `rpmtag.h`. */
export const tag = {
  headerSignatures: 62,
  headerImmutable: 63,
  headerI18nTable: 100,
  name: 1000,
  version: 1001,
  release: 1002,
  epoch: 1003,
  summary: 1004,
  description: 1005,
  buildTime: 1006,
  buildHost: 1007,
  size: 1009,
  distribution: 1010,
  vendor: 1011,
  license: 1014,
  packager: 1015,
  group: 1016,
  url: 1020,
  os: 1021,
  arch: 1022,
  fileSizes: 1028,
  fileModes: 1030,
  fileRdevs: 1033,
  fileMtimes: 1034,
  fileDigests: 1035,
  fileLinkTos: 1036,
  fileFlags: 1037,
  fileUserName: 1039,
  fileGroupName: 1040,
  sourceRpm: 1044,
  fileVerifyFlags: 1045,
  rpmVersion: 1064,
  changelogTime: 1080,
  changelogName: 1081,
  changelogText: 1082,
  fileDevices: 1095,
  fileInodes: 1096,
  fileLangs: 1097,
  sourcePackage: 1106,
  dirIndexes: 1116,
  baseNames: 1117,
  dirNames: 1118,
  payloadFormat: 1124,
  payloadCompressor: 1125,
  payloadFlags: 1126,
  fileColors: 1140,
  longFileSizes: 5008,
  longSize: 5009,
  fileCaps: 5010,
  fileDigestAlgo: 5011,
  bugUrl: 5012,
  vcs: 5034,
  encoding: 5062,
  payloadSha256: 5092,
  payloadSha256Alt: 5097,
  payloadSize: 5112,
  payloadSizeAlt: 5113,
  rpmFormat: 5114,
  sourceNevr: 5120,
  payloadSha512: 5121,
  payloadSha512Alt: 5122,
  payloadSha3_256: 5123,
  payloadSha3_256Alt: 5124,
} as const;

/** Tags of the signature header. Format 4 reuses the numbers of `name` and following for other things. */
export const signatureTag = {
  dsa: 267,
  rsa: 268,
  sha1: 269,
  longSize: 270,
  sha256: 273,
  openPgp: 278,
  sha3_256: 279,
  reserved: 999,
  v4Size: 1000,
  v4Pgp: 1002,
  v4Gpg: 1005,
} as const;

/** Name, version and flags tags of each dependency list. */
export const dependencyTags = {
  provides: { name: 1047, version: 1113, flags: 1112 },
  requires: { name: 1049, version: 1050, flags: 1048 },
  conflicts: { name: 1054, version: 1055, flags: 1053 },
  obsoletes: { name: 1090, version: 1115, flags: 1114 },
  recommends: { name: 5046, version: 5047, flags: 5048 },
  suggests: { name: 5049, version: 5050, flags: 5051 },
  supplements: { name: 5052, version: 5053, flags: 5054 },
  enhances: { name: 5055, version: 5056, flags: 5057 },
} as const;

/** Body, interpreter and flags tags of each scriptlet, with the use bit of the dependency on its interpreter. */
export const scriptletTags: Readonly<
  Record<ScriptletKind, { body: number; program: number; flags: number; use: DependencyUse }>
> = {
  pre: { body: 1023, program: 1085, flags: 5020, use: 'pre' },
  post: { body: 1024, program: 1086, flags: 5021, use: 'post' },
  preun: { body: 1025, program: 1087, flags: 5022, use: 'preun' },
  postun: { body: 1026, program: 1088, flags: 5023, use: 'postun' },
  pretrans: { body: 1151, program: 1153, flags: 5024, use: 'pretrans' },
  posttrans: { body: 1152, program: 1154, flags: 5025, use: 'posttrans' },
  preuntrans: { body: 5103, program: 5105, flags: 5107, use: 'preuntrans' },
  postuntrans: { body: 5104, program: 5106, flags: 5108, use: 'postuntrans' },
  verify: { body: 1079, program: 1091, flags: 5026, use: 'verify' },
};

/** Tags of triggers: a list of scripts and a list of conditions; each condition has the index of its script. */
export const triggerTags = {
  script: 1065,
  program: 1092,
  name: 1066,
  index: 1069,
  version: 1067,
  flags: 1068,
  scriptFlags: 5027,
} as const;

/** Tags of file triggers by scope. */
export const fileTriggerTags = {
  file: {
    script: 5066,
    program: 5067,
    scriptFlags: 5068,
    name: 5069,
    index: 5070,
    version: 5071,
    flags: 5072,
    priority: 5084,
  },
  trans: {
    script: 5076,
    program: 5077,
    scriptFlags: 5078,
    name: 5079,
    index: 5080,
    version: 5081,
    flags: 5082,
    priority: 5085,
  },
} as const;

/** Flag bits that say when a trigger runs. */
export const triggerBits = { in: 1 << 16, un: 1 << 17, postun: 1 << 18, prein: 1 << 25 } as const;

/** Bits of a script's flags (RPMSCRIPT_FLAG_*). */
export const scriptBits: Readonly<Record<ScriptFlag, number>> = { expand: 1 << 0, qformat: 1 << 1 };

const useBits: Readonly<Record<DependencyUse, number>> = {
  posttrans: 1 << 5,
  prereq: 1 << 6,
  pretrans: 1 << 7,
  interp: 1 << 8,
  pre: 1 << 9,
  post: 1 << 10,
  preun: 1 << 11,
  postun: 1 << 12,
  verify: 1 << 13,
  'find-requires': 1 << 14,
  'find-provides': 1 << 15,
  missingok: 1 << 19,
  preuntrans: 1 << 20,
  postuntrans: 1 << 21,
  rpmlib: 1 << 24,
  keyring: 1 << 26,
  config: 1 << 28,
  meta: 1 << 29,
};

const comparisons: readonly Comparison[] = ['', '<', '>', '', '=', '<=', '>=', ''];

/** Flag bits of a version comparison: less 2, greater 4, equal 8. */
export function comparisonBits(comparison: Comparison): number {
  return comparison === '' ? 0 : comparisons.indexOf(comparison) << 1;
}

/** The comparison in a dependency's flags. */
export function bitsComparison(bits: number): Comparison {
  return comparisons[(bits >> 1) & 7]!;
}

export function usesBits(uses: readonly DependencyUse[]): number {
  return uses.reduce((bits, use) => bits | useBits[use], 0);
}

/** Every use in a dependency's flags, lowest bit first. */
export function bitsUses(bits: number): DependencyUse[] {
  return (Object.keys(useBits) as DependencyUse[]).filter((use) => (bits & useBits[use]) !== 0);
}

/** Uses that `primary.xml` marks as `pre`: needed before the package's files or scriptlets are installed. */
export const preBits = useBits.prereq | useBits.pre | useBits.post;

/** Bits of FILEFLAGS. */
export const fileBits = {
  config: 1 << 0,
  doc: 1 << 1,
  missingok: 1 << 3,
  noreplace: 1 << 4,
  ghost: 1 << 6,
  license: 1 << 7,
  readme: 1 << 8,
  artifact: 1 << 12,
} as const;

/** FILEVERIFYFLAGS of a file without `%verify`, and of a ghost (no digest, size, link target, mtime). */
export const verifyAll = 0xffff_ffff;
export const verifyGhost = (verifyAll & ~0b10_0111) >>> 0;

/** FILEDIGESTALGO numbers (OpenPGP's). */
export const digestAlgorithms = {
  1: 'md5',
  2: 'sha1',
  8: 'sha256',
  9: 'sha384',
  10: 'sha512',
  11: 'sha224',
} as const;
