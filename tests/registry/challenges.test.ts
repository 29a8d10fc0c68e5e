import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseChallenges } from '../../src/registry/challenges.ts';

const plain = (text: string) =>
  parseChallenges(text).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

describe('parseChallenges', () => {
  const bearer = ['bearer', { realm: 'https://auth.example/token', service: 'reg' }];
  test.each([
    ['', []],
    ['Basic', [['basic', {}]]],
    ['Basic realm="Registry Realm"', [['basic', { realm: 'Registry Realm' }]]],
    ['Bearer realm="https://auth.example/token",service="reg"', [bearer]],
    ['BEARER Realm = "https://auth.example/token" , SERVICE=reg', [bearer]],
    ['Bearer realm=https://auth.example/token, service=reg', [bearer]],
    ['Bearer realm="https://auth.example/token",service="reg", Basic realm="x"', [bearer, ['basic', { realm: 'x' }]]],
    ['Basic realm="x", Bearer realm="https://auth.example/token",service="reg"', [['basic', { realm: 'x' }], bearer]],
    // Two headers, as fetch joins them; a bare scheme is a challenge.
    [
      'Negotiate, Basic realm="x"',
      [
        ['negotiate', {}],
        ['basic', { realm: 'x' }],
      ],
    ],
    // A single value instead of parameters.
    [
      'Negotiate YWJj+/==, Basic realm="x"',
      [
        ['negotiate', {}],
        ['basic', { realm: 'x' }],
      ],
    ],
    [
      'Negotiate YWJj, Basic',
      [
        ['negotiate', {}],
        ['basic', {}],
      ],
    ],
    // Commas, equals signs and scheme names inside quotes do not count.
    [
      'Basic realm="a, Bearer realm=\\"b\\", c=d \\\\", charset="UTF-8"',
      [['basic', { realm: 'a, Bearer realm="b", c=d \\', charset: 'UTF-8' }]],
    ],
    [
      'Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple"',
      [
        ['newauth', { realm: 'apps', type: '1', title: 'Login to "apps"' }],
        ['basic', { realm: 'simple' }],
      ],
    ],
    // Empty list elements are skipped.
    [', ,Basic realm="x",,', [['basic', { realm: 'x' }]]],
    // An empty duplicate does not hide a value.
    ['Bearer realm="", realm="https://auth.example/token", service="reg"', [bearer]],
    ['Bearer realm="https://auth.example/token", service="reg", realm="second"', [bearer]],
    ['Bearer realm= ,service=reg', [['bearer', { service: 'reg' }]]],
    ['Bearer service=reg, realm=, scope=""', [['bearer', { service: 'reg', realm: '', scope: '' }]]],
    // An unterminated string: the readable part counts.
    ['Bearer realm="https://auth.example', [['bearer', { realm: '' }]]],
    ['realm="x"', []],
    ['"Basic"', []],
  ])('%s', (text, challenges) => {
    expect(plain(text)).toEqual(challenges);
  });

  test('reads back printed challenges', () => {
    const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,10}$/);
    const value = fc.string({ unit: fc.constantFrom(...' ,="\\abc:/?&') });
    const parameter = fc.record({ name: word, value, bare: fc.boolean() });
    const challenge = fc.record({
      scheme: word,
      parameters: fc.uniqueArray(parameter, { selector: ({ name }) => name.toLowerCase(), minLength: 1 }),
    });
    const comma = fc.constantFrom(',', ', ', ' ,', ', ,');
    fc.assert(
      fc.property(fc.array(challenge), comma, (challenges, separator) => {
        const text = challenges
          .map(({ scheme, parameters }) => {
            const words = parameters.map(({ name, value, bare }) =>
              bare && /^[abc]+$/.test(value) ? `${name}=${value}` : `${name}="${value.replaceAll(/["\\]/g, '\\$&')}"`,
            );
            return `${scheme} ${words.join(separator)}`;
          })
          .join(separator);
        expect(plain(text)).toEqual(
          challenges.map(({ scheme, parameters }) => [
            scheme.toLowerCase(),
            Object.fromEntries(parameters.map(({ name, value }) => [name.toLowerCase(), value])),
          ]),
        );
      }),
    );
  });

  test('parses any text in linear time', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'a=", \\\t'), maxLength: 400 }), (text) => {
        parseChallenges(text);
      }),
    );
    for (const part of ['"', '\\', 'a=', 'a ', ',', '"\\', 'a="', '=']) {
      expect(parseChallenges(part.repeat(20_000)).length).toBeLessThanOrEqual(20_000);
    }
  });
});
