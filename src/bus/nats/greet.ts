import { connect as plain, type Socket } from 'node:net';
import { connect as secured } from 'node:tls';

const PORT = 4222;
const GREETING = /^INFO /;

/**
 * Resolves when somebody at the address speaks as a broker does: greets, or where a connection is TLS from its first byte shakes hands.
 * Rejects with the reason in few words. Who it is, and whether its certificate is to be believed, is for the connection to find out.
 * Our own socket, because the client that gives up on a silent peer leaves its own open, and a process with one does not end.
 */
export function greet(url: string, isTls: boolean, patienceMs: number): Promise<void> {
  const { hostname, port } = new URL(url);
  const at = { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? PORT : Number(port) };
  return new Promise((resolve, reject) => {
    const socket: Socket = isTls ? secured({ ...at, rejectUnauthorized: false }) : plain(at);
    const late = setTimeout(() => end(new Error('no answer')), patienceMs);
    const end = (error?: Error): void => {
      clearTimeout(late);
      socket
        .removeAllListeners()
        .on('error', () => {})
        .destroy();
      if (error) reject(error);
      else resolve();
    };
    let said = '';
    if (isTls) socket.once('secureConnect', () => end());
    else {
      socket.setEncoding('latin1').on('data', (text: string) => {
        said += text;
        if (GREETING.test(said)) end();
        else if (said.length >= 5) end(new Error('it is another service'));
      });
    }
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // What is wrong with a certificate, or that there is no TLS, the connection says better.
      if (isTls && !UNREACHABLE.has(error.code ?? '')) end();
      else end(new Error(error.code === 'ECONNREFUSED' ? 'connection refused' : error.message));
    });
    socket.on('close', () => end(new Error('it hung up')));
  });
}

const LISTEN_MS = 2_000;
/** A server greets, and then says that it is full, in one breath. */
const BREATH_MS = 300;

/** What the address says in clear to who only listens; null for nothing. A server that is full refuses in clear even where it speaks TLS. */
export function listen(url: string): Promise<string | null> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = plain({ host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? PORT : Number(port) });
    let said = '';
    let late = setTimeout(() => end(), LISTEN_MS);
    const end = (): void => {
      clearTimeout(late);
      socket
        .removeAllListeners()
        .on('error', () => {})
        .destroy();
      resolve(said === '' ? null : said);
    };
    socket.setEncoding('latin1').on('data', (text: string) => {
      said += text;
      clearTimeout(late);
      late = setTimeout(() => end(), BREATH_MS);
    });
    for (const over of ['error', 'close'] as const) socket.once(over, () => end());
  });
}

const UNREACHABLE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT']);
