import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { writeRefused } from '../contract/host.ts';

/** One complete line: its text without the newline, the byte at which it starts, its number from 1. */
export interface Line {
  readonly text: string;
  readonly offset: number;
  readonly number: number;
}

const NEWLINE = 0x0a;
const CHUNK = 1 << 16;

/** The complete lines of a file, one after the other; what stands behind the last newline is not one. A missing file has none. */
export async function* readLines(path: string): AsyncGenerator<Line> {
  let rest: Buffer[] = [];
  let offset = 0;
  let number = 1;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK }) as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
        const bytes = Buffer.concat([...rest, chunk.subarray(start, end)]);
        yield { text: bytes.toString('utf8'), offset, number };
        rest = [];
        offset += bytes.length + 1;
        number++;
        start = end + 1;
      }
      if (start < chunk.length) rest.push(chunk.subarray(start));
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Cuts off what stands behind the last newline: a line that was being written when its process died. Returns the number of bytes. */
async function cutTornLine(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  const buffer = Buffer.alloc(CHUNK);
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - CHUNK);
    const { bytesRead } = await file.read(buffer, 0, end - start, start);
    const newline = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE);
    const keep = newline >= 0 ? start + newline + 1 : start;
    if (newline >= 0 || start === 0) {
      if (keep < size) await file.truncate(keep);
      return size - keep;
    }
    end = start;
  }
  return 0;
}

/** An append-only file of lines. It has one writer, this process. */
export class Lines {
  readonly path: string;
  /** Bytes of a torn last line that were cut off at opening. */
  readonly torn: number;
  readonly #file: FileHandle;
  #length: number;

  private constructor(path: string, file: FileHandle, torn: number, length: number) {
    this.path = path;
    this.#file = file;
    this.torn = torn;
    this.#length = length;
  }

  static async open(path: string): Promise<Lines> {
    const file = await open(path, 'a+');
    const torn = await cutTornLine(file);
    return new Lines(path, file, torn, (await file.stat()).size);
  }

  /**
   * Writes `text` and a newline; with `sync` it is on the disk when this returns. Returns the byte at which it starts.
   * When it cannot be written whole, nothing of it stays, and the error says so.
   */
  async append(text: string, sync: boolean): Promise<number> {
    const bytes = Buffer.from(`${text}\n`, 'utf8');
    const offset = this.#length;
    try {
      for (let done = 0; done < bytes.length; ) done += (await this.#file.write(bytes, done, bytes.length - done)).bytesWritten;
      if (sync) await this.#file.datasync();
    } catch (error) {
      await this.#file.truncate(offset).catch(() => {}); // if this fails too, the torn line is cut off at the next start
      throw writeRefused(`${this.path}: the line`, error, '; the rows before it are safe');
    }
    this.#length += bytes.length;
    return offset;
  }

  /** The line that starts at a byte. */
  async read(offset: number): Promise<string> {
    const parts: Buffer[] = [];
    for (let at = offset; ; at += CHUNK) {
      const buffer = Buffer.alloc(CHUNK);
      const { bytesRead } = await this.#file.read(buffer, 0, CHUNK, at);
      const end = buffer.subarray(0, bytesRead).indexOf(NEWLINE);
      parts.push(buffer.subarray(0, end >= 0 ? end : bytesRead));
      if (end >= 0 || bytesRead === 0) return Buffer.concat(parts).toString('utf8');
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
