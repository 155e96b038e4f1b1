/**
 * One of several processes that want the same locks. `meet FOLDER FIRST EVERY ROUNDS`: at FIRST + r * EVERY ms all go for FOLDER/r.lock
 * and keep what they get. `live FOLDER SEED MS`: takes FOLDER/.lock again and again, and may die while holding it. What happened is in FOLDER/log.
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lock } from '../../../dist/coordinator/lock.js';

const [how, folder, ...numbers] = process.argv.slice(2);
const [a, b, rounds] = numbers.map(Number);
const log = (...words) => appendFileSync(join(folder, 'log'), `${words.join(' ')} ${process.pid}\n`);
const take = (name) =>
  Lock.take(join(folder, name), () => {}).catch((error) => {
    if (!/expected to be alone/.test(error.message)) log('error', error.message.replaceAll('\n', ' '));
    return null;
  });

if (how === 'meet') {
  for (let r = 0; r < rounds; r++) {
    const at = a + r * b;
    await sleep(Math.max(0, at - Date.now() - 1));
    while (Date.now() < at);
    if (await take(`${r}.lock`)) log('in', r);
  }
  log('end');
  await new Promise(() => setInterval(() => {}, 1000)); // all that it holds is held until it is killed
}
let state = a;
const draw = (n) => {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
};
for (const end = Date.now() + b; Date.now() < end; await sleep(draw(5))) {
  const lock = await take('.lock');
  if (!lock) continue;
  log('in');
  await sleep(draw(4));
  if (draw(4) === 0) {
    log('out'); // the last it did
    process.kill(process.pid, 'SIGKILL');
  }
  log('out');
  lock.release();
}
