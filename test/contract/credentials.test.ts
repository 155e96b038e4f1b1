import { describe, expect, it } from 'vitest';
import { type Credentials, parseCredentials, writeCredentials } from '../../src/contract/credentials.ts';
import { ConfigError } from '../../src/contract/errors.ts';

const good: Credentials = {
  role: 'worker',
  name: 'worker-gpu',
  url: 'tls://10.0.0.7:4222',
  seed: `SU${'A'.repeat(56)}`,
  ca: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
};
const parse = (change: object): unknown => parseCredentials('a.creds', JSON.stringify({ version: 1, ...good, ...change }));

describe('parseCredentials(where, text)', () => {
  it('reads what writeCredentials wrote', () => {
    expect(parseCredentials('a.creds', writeCredentials(good))).toEqual(good);
  });

  it.each([
    ['version', { version: 2 }],
    ['role', { role: 'admin' }],
    ['name', { name: 'a.b' }],
    ['name', { name: '>' }],
    ['url', { url: 'nats://10.0.0.7:4222' }],
    ['url', { url: 'tls://10.0.0.7' }],
    ['seed', { seed: 'SUAsecret' }],
    ['ca', { ca: 'none' }],
    ['more', { more: 1 }],
  ])('refuses another %s, and does not repeat what stands there', (path, change) => {
    const remedy = 'copy it anew from the folder in which spc serve --listen made it';
    expect(() => parse(change)).toThrow(`a.creds: expected a credential file, but ${path} is not what one has; ${remedy}`);
  });

  it('refuses what is no JSON', () => {
    expect(() => parseCredentials('a.creds', 'SUAsecret')).toThrow(/^a.creds: expected a credential file, got something that is no JSON/);
  });

  it('refuses a value that cannot be made into text', () => {
    const odd = '{ "constructor": { "name": { "toString": 1, "valueOf": 1 } } }';
    for (const key of ['version', 'role', 'name', 'url', 'seed', 'ca'])
      expect(() => parseCredentials('a.creds', `{ "${key}": ${odd} }`)).toThrow(ConfigError);
  });
});
