import yargs, { type CommandModule } from 'yargs';

/** Any command: each has arguments of its own. */
// biome-ignore lint/suspicious/noExplicitAny: yargs cannot say "of some type"
export type Command = CommandModule<object, any>;

/** A place in the line, `<file>` or `[overrides..]`. */
export interface Place {
  readonly name: string;
  readonly required: boolean;
  readonly many: boolean;
  readonly describe: string;
  readonly choices: readonly string[];
}

export interface Option {
  readonly name: string;
  readonly type: 'boolean' | 'number' | 'text';
  /** May be given again: each adds to what was given. */
  readonly many: boolean;
  readonly required: boolean;
  readonly choices: readonly string[];
  readonly describe: string;
}

/** What a command takes. */
export interface Shape {
  readonly name: string;
  readonly describe: string;
  /** As it is written: `run <file> [overrides..]`. */
  readonly usage: string;
  readonly places: readonly Place[];
  readonly options: readonly Option[];
  /** Options that exclude each other. */
  readonly conflicts: readonly (readonly [string, string])[];
}

/** What the library keeps of a definition; its types do not speak of it. */
interface Kept {
  getOptions(): Readonly<Record<'array' | 'boolean' | 'number', readonly string[]>> & {
    readonly key: object;
    readonly choices: Readonly<Record<string, readonly string[]>>;
  };
  getDemandedOptions(): object;
  getInternalMethods(): {
    getUsageInstance(): { getDescriptions(): Readonly<Record<string, string | undefined>> };
    getValidationInstance(): { getConflicting(): Readonly<Record<string, readonly string[]>> };
  };
}

export const nameOf = ({ command }: Command): string => String(command).split(' ')[0] ?? '';
export const describeOf = ({ describe }: Command): string => (typeof describe === 'string' ? describe : '');

/** Names whose values are lists by commas: given again, they go on. */
const BY_COMMAS = ['where', 'metric', 'group-by'];

/** Read from the definition that also makes the help: one truth for both. */
export function shapeOf(command: Command): Shape {
  const empty = yargs([]).exitProcess(false);
  const built = (typeof command.builder === 'function' ? command.builder(empty) : empty.options(command.builder ?? {})) as unknown as Kept;
  const { key, array, boolean, number, choices } = built.getOptions();
  const described = built.getInternalMethods().getUsageInstance().getDescriptions();
  const conflicting = built.getInternalMethods().getValidationInstance().getConflicting();
  const required = Object.keys(built.getDemandedOptions());
  const usage = String(command.command);
  const places = [...usage.matchAll(/([<[])(\w+)(\.\.)?[>\]]/g)].map(([, bracket, name = '', dots]): Place => {
    const text = described[name] ?? '';
    return { name, required: bracket === '<', many: dots !== undefined, describe: text, choices: choices[name] ?? [] };
  });
  const taken = ['help', 'version', ...places.map(({ name }) => name)];
  const options = Object.keys(key).flatMap((name): Option[] => {
    if (taken.includes(name)) return [];
    const type = boolean.includes(name) ? 'boolean' : number.includes(name) ? 'number' : 'text';
    const many = array.includes(name) || BY_COMMAS.includes(name);
    return [{ name, type, many, required: required.includes(name), choices: choices[name] ?? [], describe: described[name] ?? '' }];
  });
  const conflicts = Object.entries(conflicting).flatMap(([one, others]) => others.map((other) => [one, other] as const));
  return { name: nameOf(command), describe: describeOf(command), usage, places, options, conflicts };
}

/** Whether what was given again is joined, `fe,rsi`. */
export const isByCommas = ({ name }: Option): boolean => BY_COMMAS.includes(name);
