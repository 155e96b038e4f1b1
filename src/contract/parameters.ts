import { z } from 'zod';
import { evaluateSchema } from './evaluate.ts';
import { ppoSchema } from './ppo.ts';
import { STRATEGIES } from './strategies.ts';

/** What an arm's parameters are named after: `ppo.gamma`, `correct.steps`, `evaluate.curvePoints`. */
export const SECTIONS = ['ppo', 'correct', 'evaluate'] as const;
export type Section = (typeof SECTIONS)[number];

type Fields = Readonly<Record<string, z.ZodType>>;

/** A field without its defaults: where nothing is written, nothing is meant. */
function withoutDefault(field: z.ZodType): z.ZodType {
  if (!(field instanceof z.ZodDefault)) return field;
  const inner = withoutDefault(field.unwrap() as z.ZodType);
  return field.description === undefined ? inner : inner.describe(field.description);
}

const bare = (fields: Fields): Fields => Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, withoutDefault(field)]));

const shapeOf = (field: z.ZodType): string => JSON.stringify(z.toJSONSchema(field, { io: 'input', unrepresentable: 'any' }));

/** What any of the strategies accepts; the options of every chosen one that reads it judge it again. */
function correctFields(): Fields {
  const readers = new Map<string, Map<string, z.ZodType>>();
  for (const { options } of Object.values(STRATEGIES)) {
    for (const [key, field] of Object.entries(bare((options as z.ZodObject).shape))) {
      const kinds = readers.get(key) ?? new Map<string, z.ZodType>();
      readers.set(key, kinds.set(shapeOf(field), field));
    }
  }
  return Object.fromEntries(
    [...readers].map(([key, kinds]) => {
      const [first, ...others] = kinds.values();
      return [key, others.length === 0 ? (first as z.ZodType) : z.union([first as z.ZodType, ...others])];
    }),
  );
}

/** By section, the parameters without their defaults. */
const FIELDS: Readonly<Record<Section, Fields>> = {
  ppo: bare(ppoSchema.shape),
  correct: correctFields(),
  evaluate: bare(evaluateSchema.shape),
};

/** All parameters by their dotted names. */
export const PARAMETERS: Fields = Object.fromEntries(
  SECTIONS.flatMap((section) => Object.entries(FIELDS[section]).map(([key, field]) => [`${section}.${key}`, field] as const)),
);

/** The sections as a sweep file has them, without the rules between fields: an axis may still set the other half of a rule. */
export const ppoFields = z.strictObject(ppoSchema.shape);
export const evaluateFields = z.strictObject(evaluateSchema.shape);
export const correctSection = z.strictObject(mapFields(FIELDS.correct, (field) => field.optional()));

/** Every field made into another. */
export function mapFields<T extends z.ZodType>(fields: Fields, make: (field: z.ZodType) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, make(field)]));
}

/** Section and key of a dotted name; null for `scenario`, `strategy`, `engine` and what is no parameter. */
export function splitName(name: string): readonly [section: Section, key: string] | null {
  const section = SECTIONS.find((s) => name.startsWith(`${s}.`));
  return section === undefined ? null : [section, name.slice(section.length + 1)];
}
