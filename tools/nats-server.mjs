// Prints the path of a nats-server, fetched into the user's cache where there is none yet: SPC_NATS_SERVER=$(node tools/nats-server.mjs)
const { findServer, waysHere, waysToFetch } = await import(new URL('../dist/bus/nats/binary.js', import.meta.url).href);
const { path, version, from } = await findServer([...waysHere(), ...waysToFetch()]);
process.stderr.write(`nats-server ${version} (${from})\n`);
process.stdout.write(`${path}\n`);
