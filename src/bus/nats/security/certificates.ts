import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

/** A certificate and its private key, both PEM. */
export interface Signed {
  readonly certificate: string;
  readonly key: string;
}

const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 3_650;
const SERVER_DAYS = 825;
/** What has fewer left is made anew: a server may run for so long before it is started again. */
export const LEAST_DAYS = 180;
/** Clocks of other machines may be behind. */
const EARLIER_MS = DAY_MS;

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** The library, late: it takes 0.2 s and only who makes certificates needs it. It does not load without the other one. */
async function library() {
  await import('reflect-metadata');
  const { webcrypto } = await import('node:crypto');
  return { x509: await import('@peculiar/x509'), subtle: webcrypto.subtle };
}

/** Signs server certificates and nothing else. */
export async function makeAuthority(now: number): Promise<Signed> {
  const { x509, subtle } = await library();
  const keys = await subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=SPC broker authority',
    notBefore: new Date(now - EARLIER_MS),
    notAfter: new Date(now + AUTHORITY_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: `${made.toString('pem')}\n`, key: await pem(keys.privateKey) };
}

/** For a server that is reached under `hosts`, names and addresses. */
export async function makeServerCertificate(authority: Signed, hosts: readonly string[], now: number): Promise<Signed> {
  const { x509, subtle } = await library();
  const keys = await subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const [secret] = x509.PemConverter.decode(authority.key);
  const signingKey = await subtle.importKey('pkcs8', secret ?? new ArrayBuffer(0), ALGORITHM, false, ['sign']);
  const issuer = new x509.X509Certificate(authority.certificate);
  const made = await x509.X509CertificateGenerator.create({
    subject: 'CN=SPC broker',
    issuer: issuer.subject,
    notBefore: new Date(now - EARLIER_MS),
    notAfter: new Date(Math.min(now + SERVER_DAYS * DAY_MS, issuer.notAfter.getTime())),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(hosts.map((value) => ({ type: isIP(value) ? ('ip' as const) : ('dns' as const), value }))),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  });
  return { certificate: `${made.toString('pem')}\n`, key: await pem(keys.privateKey) };
}

async function pem(key: CryptoKey): Promise<string> {
  const { x509, subtle } = await library();
  return `${x509.PemConverter.encode(await subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
}

/** Why a server certificate has to be made anew; null when it serves. */
export function whyRenew(certificate: string, authority: string, hosts: readonly string[], now: number): string | null {
  const own = new X509Certificate(certificate);
  if (!own.verify(new X509Certificate(authority).publicKey)) return 'is signed by another authority';
  if (daysLeft(certificate, now) < LEAST_DAYS) return `is valid for ${Math.max(0, Math.floor(daysLeft(certificate, now)))} more days`;
  const missing = hosts.filter((host) => (isIP(host) ? own.checkIP(host) : own.checkHost(host)) === undefined);
  return missing.length > 0 ? `does not name ${missing.join(', ')}` : null;
}

/** Negative when it has expired. */
export const daysLeft = (certificate: string, now: number): number => (Date.parse(new X509Certificate(certificate).validTo) - now) / DAY_MS;
