/** What the pages say that the project knows itself: each block stands in a page between its markers. `npm run docs` writes them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { z } from 'zod';
import { RESULT_BYTES, TASK_BYTES } from '../../src/bus/nats/streams.ts';
import { ENVIRONMENTS, type Environment } from '../../src/contract/environments.ts';
import { EVALUATION_EPISODES, evaluateSchema } from '../../src/contract/evaluate.ts';
import { canonicalJson } from '../../src/contract/ids.ts';
import { ppoSchema } from '../../src/contract/ppo.ts';
import { type Interval, type Rule, SCENARIOS } from '../../src/contract/scenarios.ts';
import { Pcg64 } from '../../src/math/rng/pcg64.ts';
import { makeStream, type Purpose } from '../../src/math/rng/streams.ts';

type Blocks = Readonly<Record<string, string>>;

/** By page, by name. */
export const pages = (): Readonly<Record<string, Blocks>> => ({
  'docs/worlds.md': { boxes: boxes(), options: options(), scenarios: scenarios() },
  'docs/randomness.md': { vectors: vectors() },
  'docs/rows.md': { ...rows(), 'spec.ppo': parameters(ppoSchema), 'spec.evaluate': parameters(evaluateSchema), limits: limits() },
});

const begin = (name: string): string => `<!-- generated: ${name}; npm run docs -->`;
const END = '<!-- end -->';

/** A page with its blocks as they are now. Throws where a block has no place, and where a place has no block. */
export function filled(page: string, blocks: Blocks): string {
  const there = [...page.matchAll(/<!-- generated: ([\w.]+); npm run docs -->/g)].map(([, name]) => name ?? '');
  const names = Object.keys(blocks);
  if (there.toSorted().join() !== names.toSorted().join())
    throw new Error(`expected the blocks ${names.join(', ')}, got ${there.join(', ')}`);
  return names.reduce((text, name) => {
    const from = text.indexOf(begin(name)) + begin(name).length;
    const to = text.indexOf(END, from);
    if (to < 0) throw new Error(`${name}: expected ${END} behind it, got none`);
    return `${text.slice(0, from)}\n\n${blocks[name]}\n\n${text.slice(to)}`;
  }, page);
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const code = (text: string): string => `\`${text}\``;

function table(header: readonly string[], lines: readonly (readonly string[])[]): string {
  const rule = header.map(() => ':--');
  return [header, rule, ...lines.map((line) => line.map(cell))].map((line) => `| ${line.join(' | ')} |`).join('\n');
}

const worlds = Object.values(ENVIRONMENTS);
/** A float as it is meant: 0.20943951023931953 is 12°. */
const number = (x: number): string => String(x);

function boxes(): string {
  const heads = worlds.map(({ id }) => id);
  // Worlds that look alike stand together.
  const alike = worlds.filter(({ observation }, i) => worlds.findIndex((other) => other.observation === observation) === i);
  return alike
    .map(({ observation }) => {
      const names = heads.filter((id) => ENVIRONMENTS[id]?.observation === observation).map(code);
      const lines = observation.map(({ name, unit, low, high, integer }, i) => [
        String(i),
        code(name),
        unit,
        number(low),
        number(high),
        integer ? 'whole numbers' : 'float32',
      ]);
      return `${names.join(', ')}:\n\n${table(['index', 'component', 'unit', 'low', 'high', 'takes'], lines)}`;
    })
    .join('\n\n');
}

interface Shape {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Shape[];
  readonly items?: Shape;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly description?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

const shapeOf = (schema: z.ZodType): Shape => z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Shape;

/** What a field takes, with its bounds. */
function taken(shape: Shape): string {
  if (shape.anyOf) return shape.anyOf.map(taken).join(' or ');
  if (shape.enum) return shape.enum.map(String).join(', ');
  if (shape.type === 'array') {
    const { minItems = 0, maxItems } = shape;
    const count = maxItems === undefined ? (minItems > 0 ? `at least ${minItems}` : '') : `${minItems} to ${maxItems}`;
    return `list of ${count}${count === '' ? '' : ' x '}${taken(shape.items ?? {})}`;
  }
  if (shape.type === 'object')
    return `{ ${Object.entries(shape.properties ?? {})
      .map(([key, inner]) => `${key}: ${taken(inner)}`)
      .join(', ')} }`;
  if (shape.type !== 'integer' && shape.type !== 'number') return shape.type ?? 'any';
  const [safe, least] = [Number.MAX_SAFE_INTEGER, shape.minimum === Number.MIN_SAFE_INTEGER ? undefined : shape.minimum];
  const most = shape.maximum === safe ? undefined : shape.maximum;
  const bounds = [
    shape.exclusiveMinimum !== undefined ? `> ${shape.exclusiveMinimum}` : least !== undefined ? `>= ${least}` : '',
    shape.exclusiveMaximum !== undefined ? `< ${shape.exclusiveMaximum}` : most !== undefined ? `<= ${most}` : '',
  ].filter((bound) => bound !== '');
  return [shape.type, bounds.join(', ')].filter((part) => part !== '').join(' ');
}

const fields = (schema: z.ZodType): [string, Shape][] => Object.entries(shapeOf(schema).properties ?? {});

function options(): string {
  const lines = new Map<string, string[]>();
  for (const { id, options: schema } of worlds) {
    for (const [name, shape] of fields(schema)) {
      const rest = [code(name), taken(shape), JSON.stringify(shape.default), shape.description ?? ''];
      const key = rest.join();
      const there = lines.get(key);
      if (there) there[1] = `${there[1]}, ${code(id)}`;
      else lines.set(key, [rest[0] ?? '', code(id), ...rest.slice(1)]);
    }
  }
  return table(['option', 'worlds', 'takes', 'default', 'is'], [...lines.values()]);
}

const unitOf = ({ observation }: Environment, name: string): string => observation.find((d) => d.name === name)?.unit ?? '';

/** `0.08 rad`; in a unit that is a multiple of another also that: `-0.3 (-2.25 m/s)`. */
function quantity(x: number, unit: string): string {
  const [, multiple, base] = /^([\d.]+) (.+)$/.exec(unit) ?? [];
  if (multiple !== undefined) return `${number(x)} (${number(Number((x * Number(multiple)).toPrecision(6)))} ${base})`;
  return unit === '' || unit === 'contact' ? number(x) : `${number(x)} ${unit}`;
}

/** `theta >= 0.08 rad`, `leg1 = 0`. */
function condition(name: string, [low, high]: Interval, unit: string): string {
  if (low !== null && low === high) return `${name} = ${quantity(low, unit)}`;
  if (low === null) return `${name} <= ${quantity(high ?? 0, unit)}`;
  return high === null ? `${name} >= ${quantity(low, unit)}` : `${quantity(low, unit)} <= ${name} <= ${quantity(high, unit)}`;
}

const forbidden = ({ forbid }: Rule): string =>
  forbid
    .map((one) =>
      typeof one === 'string'
        ? one
        : Object.entries(one)
            .map(([name, interval]) => condition(name, interval, ''))
            .join(' and '),
    )
    .join(', ');

function scenarios(): string {
  const lines = Object.entries(SCENARIOS).flatMap(([name, { environment: id, options: chosen, rules: list }]) => {
    const world = ENVIRONMENTS[id] as Environment;
    const defaults = world.options.parse({});
    const changed = Object.entries(chosen).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(defaults[key]));
    const own = changed.map(([key, value]) => code(`${key}: ${JSON.stringify(value)}`)).join(', ');
    return list.map((rule, i) => [
      i === 0 ? code(name) : '',
      i === 0 ? code(id) : '',
      i === 0 ? own || 'none' : '',
      Object.entries(rule.where)
        .map(([dimension, interval]) => condition(dimension, interval, unitOf(world, dimension)))
        .join(' and '),
      forbidden(rule),
      i === 0 ? number(world.gate) : '',
    ]);
  });
  return table(['scenario', 'environment', 'options that differ', 'where', 'forbidden', 'gate'], lines);
}

const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');

/** Streams of every shape of key, with what they give first: what an implementation of the page must give, too. */
export const VECTOR_KEYS: readonly (readonly [Purpose, ...(string | number)[]])[] = [
  ['init', 1],
  ['action', 1],
  ['shuffle', 1],
  ['world', 1, 0],
  ['world', 1, 15],
  ['identify', 1, 0],
  ['evaluate', 1, 99],
  ['evaluate', 1, 'region'],
  ['correct', 1, 0],
  ['world', 1, 0, 2],
];
const WORLDS_OF_VECTORS = [
  { environment: 'CartPole-v1', options: SCENARIOS['cartpole/angle']?.options ?? {} },
  { environment: 'MountainCar-v0', options: ENVIRONMENTS['MountainCar-v0']?.options.parse({}) as Record<string, number> },
];

function vectors(): string {
  const lines = WORLDS_OF_VECTORS.flatMap((world) =>
    VECTOR_KEYS.map(([purpose, ...rest]) => {
      const make = () => makeStream(purpose, world, ...rest);
      const words = make();
      const items = Int32Array.from({ length: 6 }, (_, i) => i);
      make().shuffle(items);
      return [
        code(canonicalJson([purpose, world, ...rest])),
        code([0, 1, 2, 3].map(() => hex(words.uint32())).join(' ')),
        code(String(make().uniform())),
        code(String(make().int(1000))),
        code(String(make().normal())),
        code(items.join(' ')),
        code(String(new Pcg64(make().uint32()).random())),
      ];
    }),
  );
  return table(
    [
      'hashed text',
      'first four words',
      'first uniform',
      'first int(1000)',
      'first normal',
      '0 1 2 3 4 5 shuffled',
      'first random() of the PCG64 seeded with the first word',
    ],
    lines,
  );
}

const source = (path: string): ts.SourceFile => {
  const url = new URL(`../../${path}`, import.meta.url);
  return ts.createSourceFile(path, readFileSync(fileURLToPath(url), 'utf8'), ts.ScriptTarget.ES2023, true);
};

interface Field {
  readonly name: string;
  readonly type: string;
  readonly optional: boolean;
  readonly unit: string;
  readonly meaning: string;
}

/** The interfaces of a file: their fields as they are written. */
export function interfacesOf(path: string): ReadonlyMap<string, { readonly meaning: string; readonly fields: readonly Field[] }> {
  const file = source(path);
  const commentOf = (node: ts.Node): string => {
    const [doc] = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc);
    return (ts.getTextOfJSDocComment(doc?.comment) ?? '').replaceAll(/\s+/g, ' ').trim();
  };
  return new Map(
    file.statements.filter(ts.isInterfaceDeclaration).map((declared) => [
      declared.name.text,
      {
        meaning: commentOf(declared),
        fields: declared.members.filter(ts.isPropertySignature).map((member): Field => {
          const name = member.name.getText(file);
          const unit = ts.getJSDocTags(member).find(({ tagName }) => tagName.text === 'unit');
          const meaning = commentOf(member);
          const type = (member.type?.getText(file) ?? '').replaceAll(/\breadonly /g, '').replaceAll(/\s+/g, ' ');
          return { name, type, optional: member.questionToken !== undefined, unit: ts.getTextOfJSDocComment(unit?.comment) ?? '', meaning };
        }),
      },
    ]),
  );
}

function rows(): Blocks {
  const all = new Map([...interfacesOf('src/contract/rows.ts'), ...interfacesOf('src/contract/spec.ts')]);
  const print = (name: string): string => {
    const found = all.get(name);
    if (!found) throw new Error(`rows: expected the interface ${name}, got none`);
    const silent = found.fields.find(({ meaning }) => meaning === '');
    if (silent) throw new Error(`expected a comment on ${name}.${silent.name}, got none; docs/rows.md is made of them`);
    const lines = found.fields.map(({ name: key, type, optional, unit, meaning }) => [
      `${code(key)}${optional ? ', may be absent' : ''}`,
      code(type),
      unit || '–',
      meaning,
    ]);
    return `${found.meaning}\n\n${table(['field', 'type', 'unit', 'is'], lines)}`;
  };
  return Object.fromEntries(ROW_PARTS.map((name) => [name, print(name)]));
}

/** What a row is made of, and what stands beside it. */
export const ROW_PARTS = [
  'BaseResult',
  'TrialResult',
  'Evaluation',
  'Curve',
  'Acceptance',
  'Influence',
  'Overrun',
  'Cost',
  'Failure',
  'Provenance',
  'BaseSpec',
  'TrialSpec',
] as const;

function parameters(schema: z.ZodType): string {
  const lines = fields(schema).map(([name, shape]) => [
    code(name),
    taken(shape),
    shape.default === undefined ? 'absent' : JSON.stringify(shape.default),
    shape.description ?? '',
  ]);
  return table(['field', 'takes', 'default', 'is'], lines);
}

function limits(): string {
  const { curvePoints, overrun } = evaluateSchema.shape;
  const multiples = (shapeOf(overrun).items ?? {}) as Shape;
  return table(
    ['what', 'at most'],
    [
      ['a job over a broker, with everything it says', `${TASK_BYTES} bytes`],
      ['a row with its provenance over a broker', `${RESULT_BYTES} bytes`],
      ['points of a trial’s curves, `evaluate.curvePoints`', String(shapeOf(curvePoints).maximum)],
      ['multiples of `evaluate.overrun`, each once', String((multiples.maximum ?? 0) - (multiples.minimum ?? 0) + 1)],
      ['hidden layers, `ppo.hidden`', String(shapeOf(ppoSchema.shape.hidden).maxItems)],
      ['episodes of a final evaluation, always as many', String(EVALUATION_EPISODES)],
    ],
  );
}
