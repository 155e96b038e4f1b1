import { z } from 'zod';
import './wording.ts';
import { ConfigError } from './errors.ts';

export const ROLES = ['coordinator', 'worker', 'viewer'] as const;
/** What somebody may do at a broker: give work out, do it, or look on. */
export type Role = (typeof ROLES)[number];

const schema = z.strictObject({
  version: z.literal(1),
  role: z.enum(ROLES),
  name: z.string().regex(/^[a-z0-9-]{1,40}$/),
  url: z.string().regex(/^tls:\/\/[^/\s]+:\d{1,5}$/),
  seed: z.string().regex(/^SU[A-Z2-7]{56}$/),
  ca: z.string().regex(/^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n?$/),
});

/** What a file `*.creds` has: everything that one needs to join, the secret included. */
export interface Credentials {
  readonly role: Role;
  /** Of this role's holder: the key of its card, and the prefix of its inboxes. */
  readonly name: string;
  /** `tls://host:port`. */
  readonly url: string;
  /** Of an NKey. Whoever has it is let in. */
  readonly seed: string;
  /** The certificate that the broker's own must be signed by, PEM. */
  readonly ca: string;
}

export const writeCredentials = (credentials: Credentials): string => `${JSON.stringify({ version: 1, ...credentials }, null, 2)}\n`;

/** Never repeats what stands in the file: it is a secret. */
export function parseCredentials(where: string, text: string): Credentials {
  const remedy = 'copy it anew from the folder in which spc serve --listen made it';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ConfigError(`${where}: expected a credential file, got something that is no JSON; ${remedy}`);
  }
  const { success, data, error } = schema.safeParse(value);
  if (!success) {
    const [issue] = error.issues;
    const path = issue?.path.join('.') || (issue?.code === 'unrecognized_keys' ? issue.keys.join(', ') : 'the whole');
    throw new ConfigError(`${where}: expected a credential file, but ${path} is not what one has; ${remedy}`);
  }
  const { version: _, ...credentials } = data;
  return credentials;
}
