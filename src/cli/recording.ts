import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { JSONParser } from '@streamparser/json';
import { ConfigError } from '../contract/errors.ts';
import { printGot } from '../contract/problems.ts';
import type { RecordedEpisode } from '../envs/conformance.ts';

/** What stands in a file of recorded episodes before they begin; test/golden/README.md has the format. */
export interface RecordingHeader {
  readonly environment: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly resetOptions: Readonly<Record<string, unknown>>;
  readonly recorded: Readonly<Record<string, unknown>>;
}

const HEADER = ['environment', 'options', 'resetOptions', 'recorded'];

/**
 * A file of recorded episodes, gzipped or not: its header, then its episodes one by one. Holds one chunk and one episode at a time,
 * whatever the size of the file. Throws ConfigError for what is not such a file; what an episode holds, `parseEpisode` judges.
 */
export async function* readRecording(path: string): AsyncGenerator<{ header: RecordingHeader } | { episode: unknown }> {
  const fields = new Map<string, unknown>();
  const episodes: unknown[] = [];
  let begun = false;
  let late: string | null = null;
  const parser = new JSONParser({ paths: [...HEADER.map((name) => `$.${name}`), '$.episodes.*'], keepStack: false });
  parser.onValue = ({ value, key, stack }) => {
    if (stack.length > 1) {
      begun = true;
      if (typeof key === 'number') episodes.push(value);
      else late ??= `a list of episodes, got a mapping with ${String(key)}`;
    } else if (begun) late ??= `${String(key)} before the episodes, got it after`;
    else fields.set(String(key), value);
  };
  let found = 0;
  for await (const chunk of bytes(path)) {
    parse(() => parser.write(chunk));
    if (late !== null) throw new ConfigError(`${path}: expected ${late}`);
    if (episodes.length === 0) continue;
    if (found === 0) yield { header: parseHeader(path, fields) };
    for (const episode of episodes.splice(0)) {
      found++;
      yield { episode };
    }
  }
  if (!parser.isEnded) parse(() => parser.end());
  if (found === 0) {
    parseHeader(path, fields);
    throw new ConfigError(`${path}: expected a field episodes, a list of one or more, got none`);
  }

  function parse(step: () => void): void {
    try {
      step();
    } catch (error) {
      throw new ConfigError(`${path}: expected JSON, got something else; ${message(error)}`, { cause: error });
    }
  }
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The file's bytes, unpacked if they begin as gzip does. */
async function* bytes(path: string): AsyncGenerator<Uint8Array> {
  try {
    const file = await open(path);
    const magic = new Uint8Array(2);
    await file.read(magic, 0, 2, 0).finally(() => file.close());
    const raw = createReadStream(path);
    // The callback is for form: an error of either stream ends the loop below.
    yield* magic[0] === 0x1f && magic[1] === 0x8b ? pipeline(raw, createGunzip(), () => {}) : raw;
  } catch (error) {
    throw new ConfigError(`${path}: expected a file that can be read to its end, got an error: ${message(error)}`, { cause: error });
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function parseHeader(path: string, fields: ReadonlyMap<string, unknown>): RecordingHeader {
  const field = (name: string): unknown => {
    if (fields.has(name)) return fields.get(name);
    throw new ConfigError(`${path}: expected a field ${name} before the episodes, got none`);
  };
  const object = (name: string): Record<string, unknown> => {
    const value = field(name);
    if (isObject(value)) return value;
    throw new ConfigError(`${path} ${name}: expected an object, got ${printGot(value)}`);
  };
  const environment = field('environment');
  if (typeof environment !== 'string') throw new ConfigError(`${path} environment: expected text, got ${printGot(environment)}`);
  return { environment, options: object('options'), resetOptions: object('resetOptions'), recorded: object('recorded') };
}

/** What an episode of a world must look like. */
interface EpisodeShape {
  readonly obsDim: number;
  readonly actions: number;
  readonly continuous: boolean;
}

/** `where` is for messages. Throws ConfigError with the path of what is wrong. */
export function parseEpisode(where: string, value: unknown, { obsDim, actions, continuous }: EpisodeShape): RecordedEpisode {
  const fail = (path: string, expected: string, got: unknown): never => {
    throw new ConfigError(`${where}${path}: expected ${expected}, got ${printGot(got)}`);
  };
  if (!isObject(value)) return fail('', 'an object', value);
  const list = <T>(name: string, length: number | null, one: string, fits: (item: unknown) => item is T): T[] => {
    const items = value[name];
    const many = `a list of ${length === null ? '' : `${length} `}${one.replace(/^an? (\w+)/, '$1s')}`;
    if (!Array.isArray(items)) return fail(` ${name}`, many, items);
    if (length !== null && items.length !== length)
      throw new ConfigError(`${where} ${name}: expected ${many}, got ${items.length} of them`);
    const at = items.findIndex((item) => !fits(item));
    return at < 0 ? items : fail(` ${name}[${at}]`, one, items[at]);
  };
  const isRow =
    (length: number) =>
    (item: unknown): item is number[] =>
      Array.isArray(item) && item.length === length && item.every(isFloat32);
  const act = continuous
    ? list('act', null, `a row of ${actions} float32 values`, isRow(actions))
    : list('act', null, `an integer from 0 to ${actions - 1}`, (item): item is number => isIndex(item) && item < actions);
  const seed = value['seed'];
  return {
    seed: isSeed(seed) ? BigInt(seed) : fail(' seed', 'an integer from 0 up, as text where it exceeds 2^53 - 1', seed),
    obs: list('obs', act.length + 1, `a row of ${obsDim} float32 values`, isRow(obsDim)),
    act,
    rew: list('rew', act.length, 'a number', isNumber),
    term: list('term', act.length, 'a boolean', isBoolean),
    trunc: list('trunc', act.length, 'a boolean', isBoolean),
  };
}

const isNumber = (item: unknown): item is number => typeof item === 'number';
const isBoolean = (item: unknown): item is boolean => typeof item === 'boolean';
const isIndex = (item: unknown): item is number => isNumber(item) && Number.isSafeInteger(item) && item >= 0;
const isSeed = (item: unknown): item is number | string => isIndex(item) || (typeof item === 'string' && /^\d+$/.test(item));
/** Written with more digits than a float32 has, it would not be what was computed with. */
const isFloat32 = (item: unknown): item is number => isNumber(item) && Object.is(Math.fround(item), item);
