import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { base32nopad } from '@scure/base';
import { canonicalize } from 'json-canonicalize';

/** What JSON can say. Open bounds are `null`: JSON has no infinity. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** RFC 8785: one text per value, whatever the order of keys. Throws for NaN, infinity and a bare undefined; an undefined property is left out, as in JSON. */
export function canonicalJson(value: unknown): string {
  if (value === undefined) throw new TypeError('canonicalJson: expected a JSON value, got undefined');
  return canonicalize(value);
}

/** SHA-256 of the canonical JSON of `value`, 32 bytes. */
export function digestBytes(value: unknown): Uint8Array {
  return sha256(utf8ToBytes(canonicalJson(value)));
}

/** SHA-256 of raw bytes, in hex: the name under which a file is stored. */
export function contentDigest(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes));
}

/** 16 letters of lower-case base32: 80 bits, so that 10^6 trials collide with probability below 10^-12. */
export function shortId(value: unknown): string {
  return digestId(digestBytes(value));
}

/** The id that a SHA-256 stands for. */
export function digestId(digest: Uint8Array): string {
  return base32nopad.encode(digest.subarray(0, 10)).toLowerCase();
}
