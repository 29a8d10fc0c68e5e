import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from '@swc/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { installRoot } from '../../src/base/paths.ts';
import { readSource } from '../../src/engine/source-tokens.ts';

const sources = globSync('src/**/*.ts', { cwd: installRoot }).sort();
const textOf = (path: string): string => readFileSync(join(installRoot, path), 'utf8');
const code = (text: string): string | undefined => readSource(text)?.code;
const same = (a: string, b: string): void => {
  expect(code(a)).toBeDefined();
  expect(code(b)).toBe(code(a));
};
const different = (a: string, b: string): void => {
  expect(code(a)).toBeDefined();
  expect(code(b)).toBeDefined();
  expect(code(b)).not.toBe(code(a));
};

/** The normalised JavaScript that a real parser makes of a module, without comments. */
function meaning(text: string): string {
  const transform = { verbatimModuleSyntax: true };
  const jsc = { parser: { syntax: 'typescript' as const }, target: 'es2024' as const, transform };
  // A module with types only becomes an empty one.
  return transformSync(text, { swcrc: false, configFile: false, minify: true, jsc }).code.replace(/^export\{\};$/, '');
}

describe('the tokens of a source', () => {
  test('parse to the same program as the source', () => {
    const others = sources.filter((path) => {
      const text = textOf(path);
      const read = code(text);
      return read === undefined || meaning(read.replaceAll('\0', ' ')) !== meaning(text);
    });
    expect(others).toEqual([]);
  });

  test('do not depend on formatting and comments', () => {
    const separators = fc.constantFrom(' ', '\t', ' /**/', ' /* "\'`/ // */', ' /* ${ */ ');
    fc.assert(
      fc.property(
        fc.constantFrom(...sources),
        fc.array(separators, { minLength: 1, maxLength: 7 }),
        (path, between) => {
          const before = code(textOf(path))!;
          const tokens = before.split('\0');
          const text = tokens.map((token, index) => token + between[index % between.length]!).join('');
          expect(code(`// x\n/* y\n */${text}// z`)).toBe(before);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('reflect every other change', () => {
    fc.assert(
      fc.property(fc.constantFrom(...sources), fc.nat(), (path, at) => {
        const before = code(textOf(path))!;
        const tokens = before.split('\0');
        tokens.splice(at % tokens.length, 1, 'changedByTheTest');
        expect(code(tokens.join(' '))).not.toBe(before);
      }),
      { numRuns: 60 },
    );
  });

  test('comments and line ends', () => {
    same('const a = f(1, 2);', '// what\nconst a = f(\n  1, // one\n  2,\n);');
    same('const a = b ? c : d;', 'const a = b\n  ? c /* yes */\n  : d;');
    same('a.b().c();', 'a\n  .b()\n  // then\n  .c();');
    same('x = [1, 2];', 'x = [\n  1,\n  2,\n];');
    same('const { a, b } = c;', 'const {\n  a,\n  b,\n} = c;');
    same('f();', '#!/usr/bin/env node\nf();');
    same('if (a) b(); else c();', 'if (a)\n  // so\n  b();\nelse\n  c();');
    same('function f(a: { b: string }) {}', 'function f(a: {\n  b: string;\n}) {}');
    same('f();\r\ng();', 'f();\n\n\n  g();');
  });

  test('strings and operators that look like comments or formatting', () => {
    different("f('a // b');", "f('a // c');");
    different('f("/* a */");', 'f("/* b */");');
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is source text
    different('f(`// ${a /* c */} /* b */`);', 'f(`// ${a} /* d */`);');
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is source text
    same('f(`${a /* c */}`);', 'f(`${ a }`);');
    different('f(` a`);', 'f(`  a`);');
    different('f(/[/*]x/);', 'f(/[/*]y/);');
    different("f(/'/, a /* ' */);", "f(/'/, b /* ' */);");
    different('if (a) /\\/* b/.test(c);', 'if (a) /\\/* d/.test(c);');
    same('x = a / b / c; // d', 'x = a / b / c;');
    same("x = (a) / b; // '", 'x = (a) / b;');
    same("x = a[0] / b; // '", 'x = a[0] / b;');
    same("x = a! / b; // '", 'x = a! / b;');
    same("for (const a of /x'/[Symbol.split]('')) b(); // '", "for (const a of /x'/[Symbol.split]('')) b();");
    different('x = [1, , 2];', 'x = [1, 2];');
    different('x = [, 1];', 'x = [1];');
    different('x = [1, ,];', 'x = [1,];');
    different('x = a + +b;', 'x = a ++ b;');
    different('return\na;', 'return a;');
    different('a\n(b)', 'a(b)');
    different('a(c)\n(b)', 'a(c)(b)');
    different('x.if(a)\n(b)', 'x.if(a)(b)');
    different('x = a\n++b', 'x = a ++ b');
    different("f('a');", "f('a ');");
  });

  test('a slash that only a parser can classify is not guessed at', () => {
    for (const text of ['{ a } /b/g', 'x = { a } / b', 'x = a++ / b', 'x = of / b', 'x = a\n!/b/', 'f(<T>/a/)']) {
      if (text === 'x = of / b') expect(code(text)).toBeDefined();
      else expect(code(text), text).toBeUndefined();
    }
    for (const text of ["'open", '`open', '/* open', 'f(', 'f)', 'x = /a', 'a\0b'])
      expect(code(text), text).toBeUndefined();
  });

  test('type declarations are not code', () => {
    same('f();', "import type { A } from './a.ts';\nf();");
    same('f();', "import type * as a from './a.ts';\nimport type B from './b.ts';\nf();");
    same('f();', 'export interface A<T> extends B { c: { d: string }; }\nf();');
    same(
      'f();',
      "type A = { a: string; b: 'x' } | ((c: number) => void);\nf();\nexport type B<T> = T extends A ? 1 : 2;",
    );
    same('f();', "f();\nexport type { A } from './a.ts';\nexport type * from './b.ts';");
    same("import { a } from './a.ts';", "import { a, type B, type C as D } from './a.ts';");
    same("import {} from './a.ts';", "import { type B } from './a.ts';");
    different("import { a } from './a.ts';", "import { a, type } from './a.ts';");
    different("import { a } from './a.ts';", "import { a, type as b } from './a.ts';");
    different('f();', 'type = 1;\nf();');
    different('f();', 'type A = B\nf();');
    different('f();', 'interface\nA\n{ b }\nf();');
    different('let a: string;', 'let a: number;');
  });
});

test('imports of a source', () => {
  const read = readSource(`
    import { a } from './a.ts';
    import './b.ts';
    import type { C } from './c.ts';
    import { type D } from './d.ts';
    import E, * as e from "e/f";
    export * from './g.ts';
    export type { H } from './h.ts';
    const i = await import('./i.ts');
    new Worker(new URL('./j.ts', import.meta.url));
    const k = createRequire(import.meta.url)('k');
    const l = require('l');
    // import './m.ts';
    const n = "import './n.ts'", o = { from: './o.ts' }, p = Array.from('./p.ts');
    x.import('./q.ts');
    const u = import.meta.url;
  `);
  const files = ['a', 'b', 'd', 'g', 'i', 'j'].map((name) => `./${name}.ts`);
  expect(read).toMatchObject({ imports: [...files, 'e/f', 'k', 'l'], computed: false });
  expect(readSource('await import(name);')).toMatchObject({ imports: [], computed: true });
  // biome-ignore lint/suspicious/noTemplateCurlyInString: this is source text
  expect(readSource('await import(`./${name}.ts`);')).toMatchObject({ computed: true });
  expect(readSource("await import('./\\x61.ts');")).toMatchObject({ computed: true });
});
