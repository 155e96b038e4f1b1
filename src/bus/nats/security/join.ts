import { type ConnectionOptions, errors, nkeyAuthenticator } from '@nats-io/transport-node';
import type { Credentials } from '../../../contract/credentials.ts';

/** Under which JetStream is asked. */
export const API = '$JS.API';
/** The same for all but coordinators: whoever has no JetStream in its own account is told so by the server under the first name. */
export const API_OF_GUESTS = 'lab.api';
export const apiOf = (credentials: Credentials | null): string =>
  credentials === null || credentials.role === 'coordinator' ? API : API_OF_GUESTS;

/** What of a connection's options says who we are, and whom we believe. The handshake goes first, so that nothing is ever said in clear. */
export function identity(credentials: Credentials | null): Pick<ConnectionOptions, 'authenticator' | 'tls'> {
  if (credentials === null) return {};
  return {
    authenticator: nkeyAuthenticator(new TextEncoder().encode(credentials.seed)),
    tls: { ca: credentials.ca, handshakeFirst: true },
  };
}

const NO_TLS = 'ERR_SSL_WRONG_VERSION_NUMBER';

/** Whether who answered spoke something else than TLS. */
export function isNoTls(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) if ((e as NodeJS.ErrnoException).code === NO_TLS) return true;
  return false;
}

/** Node's codes of a certificate that is not to be believed, and of what is no TLS. */
const TLS: Readonly<Record<string, string>> = {
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate does not name this address; start it with --host, or take an address that it has',
  CERT_HAS_EXPIRED: 'its certificate has expired, or the clock here is wrong; start spc serve again, which makes a new one',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet; compare the clocks of the two machines',
  [NO_TLS]: 'it speaks no TLS; leave --creds out on its own machine, or start it with spc serve --listen',
  ...Object.fromEntries(
    [
      'SELF_SIGNED_CERT_IN_CHAIN',
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'UNABLE_TO_GET_ISSUER_CERT',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      'CERT_SIGNATURE_FAILURE',
    ].map((code) => [code, 'its certificate is not that of the credentials; take the credential file that this broker made']),
  ),
};

/** Why this server will never take us; null for what may pass. */
export function refusal(error: unknown, credentials: Credentials | null): string | null {
  for (let e = error; e instanceof Error; e = e.cause) {
    if (e instanceof errors.AuthorizationError) {
      return credentials === null
        ? 'the broker lets in only who has a key; say --creds FILE'
        : `the broker does not know the key of ${credentials.name}; take the credential file that it made`;
    }
    const why = TLS[(e as NodeJS.ErrnoException).code ?? ''];
    if (why !== undefined) return why;
  }
  return null;
}
