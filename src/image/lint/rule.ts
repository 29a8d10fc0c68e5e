import { WeirError } from '../../base/errors.ts';

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
}

/** A property that an image must have, checked on facts that were read from the image itself. */
export interface Rule<Facts> {
  /** Stable name in kebab-case. */
  readonly id: string;
  /** How bad a break is, by target; the rule is not for targets that are not named. */
  readonly appliesTo: Readonly<Partial<Record<Target, Severity>>>;
  /** Why the rule is there, one sentence. */
  readonly why: string;
  /** Whether the rule has a meaning for such an image; always where left out. */
  readonly when?: (facts: Facts) => boolean;
  /** @returns what is wrong; nothing where the rule holds @throws WeirError `unreadable` where it cannot tell */
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
  const chosen = rules.filter((rule) => rule.appliesTo[target] !== undefined && rule.when?.(facts) !== false);
  return Promise.all(chosen.map((rule) => verdict(rule, facts, rule.appliesTo[target]!)));
}

async function verdict<Facts>(rule: Rule<Facts>, facts: Facts, severity: Severity): Promise<Verdict> {
  const finding = (complaint: Complaint): Finding => ({ rule: rule.id, severity, ...complaint });
  try {
    const findings = (await rule.check(facts)).map(finding);
    return { rule: rule.id, severity, status: findings.length === 0 ? 'holds' : 'broken', findings };
  } catch (error) {
    if (!(error instanceof WeirError) || error.code !== 'unreadable') throw error;
    const findings = [finding({ message: `cannot be checked: ${error.message}` })];
    return { rule: rule.id, severity, status: 'unchecked', findings };
  }
}

/** Whether an artefact passes. */
export function passes(verdicts: readonly Verdict[]): boolean {
  return verdicts.every(
    ({ status, severity }) => status === 'holds' || (status === 'broken' && severity === 'warning'),
  );
}

/** A fact that is read when it is first asked for, and then kept. */
export function once<T>(read: () => T): () => T {
  let kept: { readonly value: T } | undefined;
  return () => {
    kept ??= { value: read() };
    return kept.value;
  };
}
