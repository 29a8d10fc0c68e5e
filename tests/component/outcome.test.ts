import { describe, expect, test } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { failureOf, type Outcome, resultOf } from '../../src/component/outcome.ts';
import { inputError } from '../../src/inputs/input-error.ts';

const why = (message: string, details: readonly string[]): string | undefined =>
  resultOf('demo', { state: 'failed', class: 'build', error: new WeirError('build-failed', message, { details }) }).why;

test('a package that cannot be had is a fault of the inputs, with the address that was tried last', () => {
  const cause = new WeirError('download-failed', 'a.rpm could not be downloaded', {
    details: ['SHA256 00', 'https://one.example.org/a.rpm: refused', 'https://two.example.org/a.rpm: reset'],
  });
  const failure = failureOf('query', inputError('updates', cause));
  expect(failure.class).toBe('inputs');
  expect(resultOf('demo', { state: 'failed', ...failure }).why).toBe(
    'repository updates: a.rpm could not be downloaded: https://two.example.org/a.rpm: reset',
  );
  expect(failureOf('query', cause).class).toBe('query');
});

describe('the line of why', () => {
  test('is the command before rpmbuild’s own last lines', () => {
    const log = ['+ make', 'main.c:1: error: no such thing', 'make: *** [main.o] Error 1'];
    const end = ['error: Bad exit status from /var/tmp/rpm-tmp.x (%build)', 'RPM build errors:'];
    expect(why('rpmbuild failed in %build', [...log, ...end])).toBe(
      'rpmbuild failed in %build: make: *** [main.o] Error 1',
    );
  });

  test('is the first error of other tools', () => {
    expect(why('rpm cannot read x.spec', ['warning: old', 'error: line 3: Unclosed %if'])).toBe(
      'rpm cannot read x.spec: line 3: Unclosed %if',
    );
  });

  test('is the first of the errors with which rpmbuild ends, if the errors themselves are further up', () => {
    const log = [
      '+ exit 0',
      '',
      'RPM build errors:',
      '    File must begin with "/": %{x}/y',
      '    Directory not found: /z',
    ];
    expect(why('rpmbuild failed', log)).toBe('rpmbuild failed: File must begin with "/": %{x}/y');
  });

  test('is the message alone if no line says more', () => {
    expect(why('rpmbuild failed', ['+ make', '+ exit 1'])).toBe('rpmbuild failed');
    expect(why('no repository has x', ['error: no repository has x'])).toBe('no repository has x');
    expect(why('no repository has x', [])).toBe('no repository has x');
    expect(
      why('build dependencies are missing', ['error: Failed build dependencies:', '\tgcc conflicts with x-1']),
    ).toBe('build dependencies are missing: Failed build dependencies: gcc conflicts with x-1');
  });
});

test('a full disk, a broken cache and faults of Weir concern all components', () => {
  expect(failureOf('build', new WeirError('build-failed', 'x')).class).toBe('build');
  for (const error of [new WeirError('no-space', 'x'), new WeirError('bad-blob', 'x'), new TypeError('x')]) {
    expect(() => failureOf('build', error)).toThrow(error);
  }
});

test('a result has the log of a failed build', () => {
  const error = new WeirError('build-failed', 'x');
  const outcome: Outcome = { state: 'expected', reason: 'known', class: 'build', error, log: '/logs/demo' };
  expect(resultOf('demo', outcome)).toEqual({
    component: 'demo',
    state: 'expected',
    class: 'build',
    why: 'known: x',
    log: '/logs/demo',
  });
});
