import { WeirError } from '../base/errors.ts';

/**
 * Targets of checks: any hypervisor, one of Azure's two machine generations, a container runtime, WSL, or a Kubernetes
 * node.
 */
export type Target = 'generic' | 'azure-gen1' | 'azure-gen2' | 'container' | 'wsl' | 'kubernetes';

export type Severity = 'error' | 'warning';

/** A finding of a rule. */
export interface Complaint {
  readonly message: string;
  /** Path in the image, or part of the disk. */
  readonly where?: string;
  /** What to do about it. */
  readonly hint?: string;
  /** Not a finding: this part could not be checked. */
  readonly unchecked?: true;
}

/** A property that an image must have, checked on facts read from the image itself. */
export interface Rule<Facts> {
  /** Stable name in kebab-case. */
  readonly id: string;
  /** Severity by target; the rule does not apply to other targets. */
  readonly appliesTo: Readonly<Partial<Record<Target, Severity>>>;
  /** Reason for the rule, one sentence. */
  readonly why: string;
  /** Whether the rule applies to such an image; always by default. @throws WeirError `unreadable` */
  readonly when?: (facts: Facts) => boolean | Promise<boolean>;
  /** @returns findings; empty if it checked and the rule holds @throws WeirError `unreadable` if it cannot check */
  readonly check: (facts: Facts) => readonly Complaint[] | Promise<readonly Complaint[]>;
}

export interface Finding extends Complaint {
  readonly rule: string;
  readonly severity: Severity;
}

/** Result of a rule: `unchecked` if its subject could not be read. */
export interface Verdict {
  readonly rule: string;
  readonly severity: Severity;
  readonly status: 'holds' | 'broken' | 'unchecked';
  readonly findings: readonly Finding[];
}

/** All verdicts on one artefact. */
export interface LintReport {
  /** The file or folder that was read. */
  readonly file: string;
  /** The image in it, if it may contain several: name and platform. */
  readonly image?: string;
  readonly format: string;
  readonly target: Target;
  /** Whether no rule of severity `error` is broken and none is unchecked. */
  readonly ok: boolean;
  readonly verdicts: readonly Verdict[];
}

/** Severities shared by several rules. */
export const azureError = { 'azure-gen1': 'error', 'azure-gen2': 'error' } as const;
export const diskError = { generic: 'error', ...azureError, kubernetes: 'error' } as const;
export const azureErrorElseWarning = { generic: 'warning', ...azureError, kubernetes: 'warning' } as const;

/** Error of a fact that is unavailable because the image is damaged or unsupported. */
export function unreadable(message: string, cause?: unknown): WeirError {
  return new WeirError('unreadable', message, { cause });
}

/** Error for a file that no rules apply to. */
export function notCheckable(path: string, message: string): WeirError {
  return new WeirError('unknown-format', message, {
    where: { file: path },
    hint: 'use a disk (raw, qcow2, VHD, VHDX), a WSL image, or a folder with an OCI layout',
    exit: 2,
  });
}

/** Runs the rules of a target in parallel, so that their reads can be batched. */
export async function checkRules<Facts>(
  rules: readonly Rule<Facts>[],
  facts: Facts,
  target: Target,
): Promise<Verdict[]> {
  const chosen = rules.filter((rule) => rule.appliesTo[target] !== undefined);
  const verdicts = await Promise.all(chosen.map((rule) => verdict(rule, facts, rule.appliesTo[target]!)));
  return verdicts.filter((each) => each !== undefined);
}

/** @returns undefined if the rule does not apply */
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
  // A mere warning must not hide that the rule could not check everything.
  const status = broken && (severity === 'error' || !blind) ? 'broken' : blind ? 'unchecked' : 'holds';
  return { rule: rule.id, severity, status, findings };
}

const blindness: readonly string[] = ['unreadable', 'bad-tar', 'too-large'];

/** Findings of a check; if something is unreadable, a finding that it could not be checked. */
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

/** Whether an error means that something is unreadable, so that it cannot be judged. */
export function isBlindness(error: unknown): error is WeirError {
  return error instanceof WeirError && blindness.includes(error.code);
}

/** Whether a verdict fails an artefact: an unchecked rule does, whatever its severity. */
export function fails({ status, severity }: Pick<Verdict, 'status' | 'severity'>): boolean {
  return status === 'unchecked' || (status === 'broken' && severity === 'error');
}

/** Whether an artefact passes; one without any rule does not. */
export function passes(verdicts: readonly Verdict[]): boolean {
  return verdicts.length > 0 && !verdicts.some(fails);
}

/** A fact that is read on first use and then cached. */
export function once<T>(read: () => T): () => T {
  let kept: { readonly value: T } | undefined;
  return () => {
    kept ??= { value: read() };
    return kept.value;
  };
}
