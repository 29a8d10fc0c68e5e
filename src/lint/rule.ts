import { WeirError } from '../base/errors.ts';

/**
 * What an image is checked for: any hypervisor, one of Azure's two generations of machines, a container runtime, WSL, a node
 * of Kubernetes.
 */
export type Target = 'generic' | 'azure-gen1' | 'azure-gen2' | 'container' | 'wsl' | 'kubernetes';

export type Severity = 'error' | 'warning';

/** One thing that a rule has found wrong. */
export interface Complaint {
  readonly message: string;
  /** Path in the image, or the part of the disk. */
  readonly where?: string;
  /** What to do about it. */
  readonly hint?: string;
  /** Nothing is wrong as far as could be seen, but here the rule could not look. */
  readonly unchecked?: true;
}

/** A property that an image must have, checked on facts that were read from the image itself. */
export interface Rule<Facts> {
  /** Stable name in kebab-case. */
  readonly id: string;
  /** How bad a break is, by target; the rule is not for targets that are not named. */
  readonly appliesTo: Readonly<Partial<Record<Target, Severity>>>;
  /** Why the rule is there, one sentence. */
  readonly why: string;
  /** Whether the rule has a meaning for such an image; always where left out. @throws WeirError `unreadable` */
  readonly when?: (facts: Facts) => boolean | Promise<boolean>;
  /** @returns what is wrong; nothing where it looked and the rule holds @throws WeirError `unreadable` where it cannot look */
  readonly check: (facts: Facts) => readonly Complaint[] | Promise<readonly Complaint[]>;
}

export interface Finding extends Complaint {
  readonly rule: string;
  readonly severity: Severity;
}

/** How one rule came out: `unchecked` where what it looks at could not be read. */
export interface Verdict {
  readonly rule: string;
  readonly severity: Severity;
  readonly status: 'holds' | 'broken' | 'unchecked';
  readonly findings: readonly Finding[];
}

/** All verdicts over one artefact. */
export interface LintReport {
  /** The file or folder that was read. */
  readonly file: string;
  /** Which image in it, where it can hold several: its name and platform. */
  readonly image?: string;
  readonly format: string;
  readonly target: Target;
  /** Whether no rule of severity `error` is broken and none is unchecked. */
  readonly ok: boolean;
  readonly verdicts: readonly Verdict[];
}

/** Severities of rules that are for several targets alike. */
export const azureError = { 'azure-gen1': 'error', 'azure-gen2': 'error' } as const;
export const diskError = { generic: 'error', ...azureError, kubernetes: 'error' } as const;
export const azureErrorElseWarning = { generic: 'warning', ...azureError, kubernetes: 'warning' } as const;

/** What a fact throws that cannot be had because the image is damaged or of a kind that is not known here. */
export function unreadable(message: string, cause?: unknown): WeirError {
  return new WeirError('unreadable', message, { cause });
}

/** A file that no rules are for. */
export function notCheckable(path: string, message: string): WeirError {
  return new WeirError('unknown-format', message, {
    where: { file: path },
    hint: 'disks (raw, qcow2, VHD), images for WSL, and folders with an OCI layout can be checked',
    exit: 2,
  });
}

/** Checks the rules of a target, all at once so that reads which they ask for can go together. */
export async function checkRules<Facts>(
  rules: readonly Rule<Facts>[],
  facts: Facts,
  target: Target,
): Promise<Verdict[]> {
  const chosen = rules.filter((rule) => rule.appliesTo[target] !== undefined);
  const verdicts = await Promise.all(chosen.map((rule) => verdict(rule, facts, rule.appliesTo[target]!)));
  return verdicts.filter((each) => each !== undefined);
}

/** @returns undefined where the rule has no meaning */
async function verdict<Facts>(rule: Rule<Facts>, facts: Facts, severity: Severity): Promise<Verdict | undefined> {
  const complaints = await looking(async () =>
    (await rule.when?.(facts)) === false ? undefined : await rule.check(facts),
  );
  if (complaints === undefined) return undefined;
  const findings = complaints.map((complaint): Finding => {
    const message = complaint.unchecked === true ? `not checked: ${complaint.message}` : complaint.message;
    return { rule: rule.id, severity, ...complaint, message };
  });
  const blind = findings.some(({ unchecked }) => unchecked === true);
  const broken = findings.some(({ unchecked }) => unchecked !== true);
  // What is only a warning must not hide that the rule did not see everything.
  const status = broken && (severity === 'error' || !blind) ? 'broken' : blind ? 'unchecked' : 'holds';
  return { rule: rule.id, severity, status, findings };
}

const blindness: readonly string[] = ['unreadable', 'bad-tar', 'too-large'];

/** Complaints of a look at something; where it cannot be read, the one that it could not be checked. */
export async function looking<T extends readonly Complaint[] | undefined>(
  work: () => T | Promise<T>,
): Promise<T | readonly Complaint[]> {
  try {
    return await work();
  } catch (error) {
    if (!isBlindness(error)) throw error;
    return [{ message: error.message, unchecked: true }];
  }
}

/** Whether an error says that something cannot be read, so that nothing can be said of it. */
export function isBlindness(error: unknown): error is WeirError {
  return error instanceof WeirError && blindness.includes(error.code);
}

/** Whether a verdict keeps an artefact from passing: a rule that could not look does, however bad its break would be. */
export function fails({ status, severity }: Pick<Verdict, 'status' | 'severity'>): boolean {
  return status === 'unchecked' || (status === 'broken' && severity === 'error');
}

/** Whether an artefact passes; one that no rule looked at does not. */
export function passes(verdicts: readonly Verdict[]): boolean {
  return verdicts.length > 0 && !verdicts.some(fails);
}

/** A fact that is read when it is first asked for, and then kept. */
export function once<T>(read: () => T): () => T {
  let kept: { readonly value: T } | undefined;
  return () => {
    kept ??= { value: read() };
    return kept.value;
  };
}
