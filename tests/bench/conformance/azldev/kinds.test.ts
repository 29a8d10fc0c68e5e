import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { globKinds } from '../../../../bench/conformance/azldev/globs.ts';
import { kindOf, overlayRules } from '../../../../bench/conformance/azldev/kinds.ts';
import { type Compared, makeCase, type Outcome } from '../../../../bench/conformance/azldev/overlays.ts';
import { makeProject, projectKinds } from '../../../../bench/conformance/azldev/projects.ts';
import { makeRegex, regexKinds } from '../../../../bench/conformance/azldev/regexes.ts';
import { makeSpec } from '../../../../bench/conformance/azldev/specs.ts';
import { randomOf } from '../../../../bench/fuzz/random.ts';
import { overlayTypes } from '../../../../src/project/model/overlay.ts';

const docs = readFileSync(join(import.meta.dirname, '../../../../docs/azldev.md'), 'utf8');

it('every known kind of difference is explained in the docs, and no other', () => {
  const { differ, onlyWeirRefuses, onlyAzldevRefuses } = overlayRules;
  const known = [differ, onlyWeirRefuses, onlyAzldevRefuses, projectKinds, globKinds, regexKinds].flatMap(Object.keys);
  const explained = [...docs.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, kind]) => kind);
  expect(explained.toSorted()).toEqual(known.toSorted());
});

describe('random inputs', () => {
  it('are the same for the same seed', () => {
    const once = (seed: number): unknown => {
      const random = randomOf(seed);
      return [makeCase(random, makeSpec(random)), makeProject(random, true), makeRegex(random)];
    };
    expect(once(5)).toEqual(once(5));
    expect(once(5)).not.toEqual(once(6));
  });

  it('have every type of overlay', () => {
    const types = new Set<unknown>();
    for (let seed = 0; seed < 400; seed++) {
      const random = randomOf(seed);
      for (const { type } of makeCase(random, makeSpec(random)).overlays) types.add(type);
    }
    expect([...types].sort()).toEqual([...overlayTypes].sort());
  });
});

describe('the kind of a difference', () => {
  const spec = 'Name: a\n\n%build\nmake\n\n%if 1\n%check\ntrue\n%endif\n';
  const made = (overlay: Record<string, string>): Compared['made'] => ({ spec, files: {}, overlays: [overlay] });
  const files = (text: string): Outcome => ({ kind: 'files', spec: text, files: {} });
  const refused = (code: string, message = ''): Outcome => ({ kind: 'refused', code, message });
  const kind = (overlay: Record<string, string>, azldev: Outcome, weir: Outcome): string | undefined =>
    kindOf({ number: 0, made: made(overlay), azldev, weir });
  const append = { type: 'spec-append-lines' };

  it('is told by both results', () => {
    expect(kind(append, files(spec), files(spec.trimEnd()))).toBe('same');
    expect(kind(append, refused('exit 1'), refused('overlay-no-match'))).toBe('both refuse');
    expect(kind(append, files('a\n\nx\n'), files('a\nx\n\n'))).toBe('blank-lines');
    const [theirs, ours] = ['a\n%if 1\nx\n%check\n%endif\n', 'a\nx\n%if 1\n%check\n%endif\n'];
    expect(kind(append, files(theirs), files(ours))).toBe('next-conditional');
  });

  it('is not known for a lost line, a wrong place or an unexplained refusal', () => {
    expect(kind(append, files('a\nx\n'), files('a\n'))).toBeUndefined();
    expect(kind(append, files('a\nmake\nx\n'), files('a\nx\nmake\n'))).toBeUndefined();
    expect(kind(append, files(spec), refused('overlay-no-match'))).toBeUndefined();
    expect(kind(append, refused('exit 1', 'odd'), files(spec))).toBeUndefined();
    expect(kind({ type: 'spec-remove-section' }, files('a\nb\n'), files('a\n'))).toBeUndefined();
  });
});
