const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/**
 * The bytes of a compiled module, as the build embeds it: a pure folder reads no file.
 * Decodes by hand, because `atob` and `Buffer` may use AVX-512 and leave its registers dirty, after which every kernel of
 * the thread ran 15 % slower (measured on a Cascade Lake, until some other code cleared them).
 */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const digits = text.replace(/=+$/, '');
  const bytes = new Uint8Array(Math.floor((digits.length * 6) / 8));
  for (let i = 0, at = 0, held = 0, bits = 0; i < digits.length; i++) {
    held = (held << 6) | DIGITS.indexOf(digits.charAt(i));
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = held >> bits;
    held &= (1 << bits) - 1;
  }
  return bytes;
}
