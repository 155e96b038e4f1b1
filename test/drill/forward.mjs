// Connections to a loopback port are carried to another host. Arguments: port, host, port there.
// The command line takes no broker beyond loopback without keys and TLS; this stands in for them within a worker's network namespace.
import { connect, createServer } from 'node:net';

const [port, host, there] = process.argv.slice(2);
createServer((near) => {
  const far = connect(Number(there), host);
  const pair = [near, far];
  const end = () => {
    for (const socket of pair) socket.destroy();
  };
  for (const socket of pair) socket.on('error', end).on('close', end);
  near.pipe(far).pipe(near);
}).listen(Number(port), '127.0.0.1');
