import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

/** What each folder may import, besides itself. Read it top to bottom. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  math: ['contract'],
  envs: ['contract', 'math'],
  ppo: ['contract', 'math', 'envs'],
  correction: ['contract', 'math', 'envs', 'ppo'],
  audit: ['contract', 'math', 'envs', 'ppo', 'correction'],
  bus: ['contract'],
  worker: ['contract', 'math', 'envs', 'ppo', 'correction', 'audit', 'bus'],
  coordinator: ['contract', 'bus'],
  report: ['contract', 'bus', 'coordinator'],
  dashboard: ['contract', 'bus', 'coordinator', 'report'],
  cli: ['contract', 'math', 'envs', 'ppo', 'correction', 'audit', 'bus', 'worker', 'coordinator', 'report', 'dashboard'],
};

/** One outside library has one home. */
const HOME: Readonly<Record<string, string>> = {
  zod: 'contract/',
  '@noble/hashes': 'contract/',
  '@scure/base': 'contract/',
  'json-canonicalize': 'contract/',
  'fastest-levenshtein': 'contract/',
  yaml: 'coordinator/load.ts',
  piscina: 'worker/executor/',
  '@tensorflow/tfjs-node': 'worker/tfjs/',
  '@tensorflow/tfjs': 'worker/tfjs/',
  '@nats-io/transport-node': 'bus/',
  '@nats-io/jetstream': 'bus/',
  '@peculiar/x509': 'bus/',
  'reflect-metadata': 'bus/',
  arquero: 'report/',
  '@observablehq/plot': 'report/',
  linkedom: 'report/',
  yargs: 'cli/',
  '@streamparser/json': 'cli/recording.ts',
  '(computed)': 'cli/cli.ts', // the commands of the build that is current
};

/** Same input, same bytes: no clock, no chance, no disk, no network, and no function whose last bit depends on the machine. */
const PURE = /^(math|envs|ppo|correction|audit)\/|^worker\/jobs\.ts$/;
/** Runs in a browser, too. */
const NO_NODE = /^contract\//;
/** The assembly folders are AssemblyScript: their Math is compiled into the module, and other tools check them. */
const ASSEMBLY = /\/assembly\//;

/** What of `Math` is exact by specification, or correctly rounded by every engine there is. */
const EXACT = new Set('abs ceil clz32 floor fround imul max min round sign sqrt trunc E LN10 LN2 LOG10E LOG2E PI SQRT1_2 SQRT2'.split(' '));
const IMPURE = new Set(
  'Date performance process crypto fetch setTimeout setInterval setImmediate queueMicrotask globalThis global window self require eval Function Intl navigator localStorage XMLHttpRequest WebSocket Buffer'.split(
    ' ',
  ),
);

/** Everything a file imports: statements, re-exports, types, import() and require(). */
function importsOf(source: ts.SourceFile): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const target =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
          ? node.argument.literal
          : ts.isCallExpression(node) &&
              (node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.getText(source) === 'require')
            ? node.arguments[0]
            : undefined;
    if (target) found.push(ts.isStringLiteralLike(target) ? target.text : '(computed)');
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const packageOf = (specifier: string): string => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');

/** `x ** 2` and Math.pow may differ in their last bit from engine to engine; powers of two by a literal do not. */
const isExactPower = (node: ts.BinaryExpression): boolean => {
  const exponent = ts.isPrefixUnaryExpression(node.right) ? node.right.operand : node.right;
  return (
    ts.isNumericLiteral(node.left) && node.left.text === '2' && ts.isNumericLiteral(exponent) && Number.isInteger(Number(exponent.text))
  );
};

/** What a pure file must not say. */
function impuritiesOf(source: ts.SourceFile): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) {
      const { parent, text } = node;
      const isName =
        (ts.isPropertyAccessExpression(parent) || ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent)) &&
        parent.name === node;
      if (!isName && IMPURE.has(text)) found.push(text);
      if (!isName && text === 'Math') {
        const member = ts.isPropertyAccessExpression(parent) && parent.expression === node ? parent.name.text : '(something)';
        if (!EXACT.has(member)) found.push(`Math.${member}`);
      }
    }
    const { AsteriskAsteriskToken, AsteriskAsteriskEqualsToken } = ts.SyntaxKind;
    if (ts.isBinaryExpression(node) && [AsteriskAsteriskToken, AsteriskAsteriskEqualsToken].some((t) => t === node.operatorToken.kind)) {
      if (!isExactPower(node)) found.push('**');
    }
    if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) found.push('import.meta');
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Everything that breaks a rule, from a map of paths below src to texts: pure, so that a test can feed it a crime. */
function violations(files: ReadonlyMap<string, string>): string[] {
  return [...files].flatMap(([path, text]): string[] => {
    const folder = path.split('/')[0] ?? '';
    const allowed = MAY_IMPORT[folder];
    if (!allowed) return [`${folder} has no place in the order of folders (${path})`];
    const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
    const pure = PURE.test(path) && !ASSEMBLY.test(path);
    const imports = importsOf(source).flatMap((specifier): string[] => {
      if (specifier.startsWith('node:')) return pure || NO_NODE.test(path) ? [`${specifier} (${path})`] : [];
      if (!specifier.startsWith('.')) {
        const home = HOME[packageOf(specifier)];
        if (home === undefined) return [`${packageOf(specifier)} has no home (${path})`];
        return path.startsWith(home) ? [] : [`${packageOf(specifier)} lives in ${home} (${path})`];
      }
      if (!specifier.endsWith('.ts') && !ASSEMBLY.test(path)) return [`${specifier} without .ts (${path})`];
      const [target = ''] = join(path, '..', specifier).split('/');
      return target === folder || allowed.includes(target) ? [] : [`${folder} → ${target} (${path})`];
    });
    return [...imports, ...(pure ? impuritiesOf(source).map((what) => `${what} (${path})`) : [])];
  });
}

const files = new Map(
  readdirSync('src', { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.wasm.ts'))
    .map((path) => [path, readFileSync(join('src', path), 'utf8')]),
);

describe('architecture', () => {
  it('violations(src): imports point one way, libraries stay at home, pure code is pure', () => {
    expect(files.size).toBeGreaterThan(20); // a guard that saw nothing has guarded nothing
    expect([...files.keys()].filter((path) => PURE.test(path)).length).toBeGreaterThan(10);
    expect(violations(files)).toEqual([]);
  });

  it('MAY_IMPORT has no folder above itself', () => {
    for (const [folder, below] of Object.entries(MAY_IMPORT)) {
      for (const other of below) expect(MAY_IMPORT[other]).not.toContain(folder);
    }
  });

  it.each([
    ['coordinator/x.ts', "import { train } from '../ppo/train.ts';", 'coordinator → ppo (coordinator/x.ts)'],
    ['contract/x.ts', "import type { Engine } from '../math/engine.ts';", 'contract → math (contract/x.ts)'],
    ['math/engines/x.ts', "export * from '../../envs/x.ts';", 'math → envs (math/engines/x.ts)'],
    ['bus/x.ts', "const x = await import('../worker/x.ts');", 'bus → worker (bus/x.ts)'],
    ['report/x.ts', "let x: import('../cli/x.ts').X;", 'report → cli (report/x.ts)'],
    ['ppo/x.ts', "import x from '../../tools/x.ts';", 'ppo → .. (ppo/x.ts)'],
    ['ppo/x.ts', 'import(name);', '(computed) lives in cli/cli.ts (ppo/x.ts)'],
    ['utils/x.ts', '', 'utils has no place in the order of folders (utils/x.ts)'],
    ['ppo/x.ts', "import './y.js';", './y.js without .ts (ppo/x.ts)'],
    ['coordinator/x.ts', "import { z } from 'zod';", 'zod lives in contract/ (coordinator/x.ts)'],
    ['coordinator/x.ts', "import type { Document } from 'yaml';", 'yaml lives in coordinator/load.ts (coordinator/x.ts)'],
    ['math/x.ts', "import { sha256 } from '@noble/hashes/sha2.js';", '@noble/hashes lives in contract/ (math/x.ts)'],
    ['worker/agent/x.ts', "import { Piscina } from 'piscina';", 'piscina lives in worker/executor/ (worker/agent/x.ts)'],
    ['cli/x.ts', "import * as aq from 'arquero';", 'arquero lives in report/ (cli/x.ts)'],
    ['cli/x.ts', "import _ from 'lodash/fp';", 'lodash has no home (cli/x.ts)'],
    ['contract/x.ts', "import { createHash } from 'node:crypto';", 'node:crypto (contract/x.ts)'],
    ['worker/jobs.ts', "import { readFileSync } from 'node:fs';", 'node:fs (worker/jobs.ts)'],
    ['math/x.ts', 'const x = Math.random();', 'Math.random (math/x.ts)'],
    ['math/x.ts', 'const x = Math.exp(1) + Math.sqrt(2);', 'Math.exp (math/x.ts)'],
    ['math/x.ts', "const x = Math['exp'](1);", 'Math.(something) (math/x.ts)'],
    ['envs/x.ts', 'const { sin } = Math;', 'Math.(something) (envs/x.ts)'],
    ['envs/x.ts', 'const x = y ** 0.5;', '** (envs/x.ts)'],
    ['envs/x.ts', 'const x = 2 ** y;', '** (envs/x.ts)'],
    ['ppo/x.ts', 'const t = Date.now();', 'Date (ppo/x.ts)'],
    ['correction/x.ts', 'const t = performance.now();', 'performance (correction/x.ts)'],
    ['correction/x.ts', "if (process.env['X']) y();", 'process (correction/x.ts)'],
    ['audit/x.ts', 'const d = globalThis["Da" + "te"];', 'globalThis (audit/x.ts)'],
    ['worker/jobs.ts', 'const u = import.meta.url;', 'import.meta (worker/jobs.ts)'],
  ])('the guard barks: %s saying %s', (path, text, bark) => {
    expect(violations(new Map([[path, text]]))).toEqual([bark]);
  });

  it.each([
    ['cli/x.ts', "import { x } from '../worker/jobs.ts'; import { join } from 'node:path'; import yargs from 'yargs/yargs';"],
    ['coordinator/load.ts', "import { parseDocument } from 'yaml';"],
    ['contract/x.ts', "import { sha256 } from '@noble/hashes/sha2.js'; const t = new Date(0);"],
    ['math/x.ts', '// Math.exp, Date.now()\nconst x = 2 ** 32 + 2 ** -53 + Math.fround(Math.PI); const s = "Math.log";'],
    ['math/x.ts', 'const o = { process: 1 }; o.process = x.Date;'],
    ['math/assembly/x.ts', "import { lane } from './lanes'; export function f(x: f64): f64 { return Math.exp(x); }"],
    ['worker/executor/x.ts', 'const t = performance.now();'],
  ])('the guard is silent: %s saying %s', (path, text) => {
    expect(violations(new Map([[path, text]]))).toEqual([]);
  });
});
