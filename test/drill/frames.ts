/** One message of the NATS protocol, whole. */
export interface Frame {
  readonly bytes: Buffer;
  /** `PUB`, `HPUB`, `MSG`, `HMSG`, or what else the line begins with. */
  readonly verb: string;
  readonly subject: string;
  readonly reply: string;
  /** Without headers. */
  readonly body: Buffer;
}

const EOL = '\r\n';
/** What carries a payload, and how many words of its line stand before reply and sizes; a verb with H has two sizes. */
const WORDS: Readonly<Record<string, number>> = { PUB: 2, HPUB: 2, MSG: 3, HMSG: 3 };

/** Cuts a stream of bytes, in either direction, into messages. Reads no more of the protocol than where one ends, and what it is about. */
export class Frames {
  #rest: Buffer = Buffer.alloc(0);

  /** Those that are whole by now. */
  push(chunk: Buffer): Frame[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    for (let frame = this.#first(); frame !== null; frame = this.#first()) {
      frames.push(frame);
      this.#rest = this.#rest.subarray(frame.bytes.length);
    }
    return frames;
  }

  #first(): Frame | null {
    const end = this.#rest.indexOf(EOL);
    if (end < 0) return null;
    const words = this.#rest.toString('latin1', 0, end).split(/\s+/);
    const verb = words[0]?.toUpperCase() ?? '';
    const before = WORDS[verb];
    const start = end + EOL.length;
    if (before === undefined) return { bytes: this.#rest.subarray(0, start), verb, subject: '', reply: '', body: Buffer.alloc(0) };
    const sizes = verb.startsWith('H') ? 2 : 1;
    const size = Number(words.at(-1));
    const bytes = this.#rest.subarray(0, start + size + EOL.length);
    if (bytes.length < start + size + EOL.length) return null;
    const reply = words.length > before + sizes ? (words[before] ?? '') : '';
    const headers = sizes === 2 ? Number(words.at(-2)) : 0;
    return { bytes, verb, subject: words[1] ?? '', reply, body: bytes.subarray(start + headers, start + size) };
  }
}
