import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NatsLink } from '../../../src/bus/nats/link.ts';
import { NatsRoll } from '../../../src/bus/nats/roll.ts';
import type { NatsServer } from '../../../src/bus/nats/server.ts';
import type { SweepCard, Wish, WorkerCard } from '../../../src/contract/cards.ts';
import { noServer, startServer } from './servers.ts';

const worker = (id: string, more: Partial<WorkerCard> = {}): WorkerCard => ({
  ...{ v: 1, id, host: 'host', label: null, pid: 1, cap: 'cpu-1', node: 'v20', startedAt: 'now', slots: 2 },
  ...{ state: 'working', reason: '', done: 0, failed: 0, running: [], ...more },
});
const none = { trial: 0, base: 0 };
const sweep = (key: string, origin: string, more: Partial<SweepCard> = {}): SweepCard => ({
  ...{ v: 1, name: key, key, cap: 'cpu-1', origin, host: 'host', pid: 1, startedAt: 'now', state: 'running', weight: 1 },
  ...{ window: 8, queued: 0, wanted: none, done: none, failed: none, ...more },
});
const wish = (state: Wish['state']): Wish => ({ state, reason: 'a test', at: 'now' });

describe.skipIf(noServer)('NatsRoll, over a real nats-server', () => {
  let server: NatsServer;
  let [ours, theirs]: NatsLink[] = [];
  let [coordinator, viewer]: NatsRoll[] = [];
  beforeAll(async () => {
    server = await startServer();
    [ours, theirs] = [await NatsLink.connect({ url: server.url, name: 'a' }), await NatsLink.connect({ url: server.url, name: 'b' })];
    [coordinator, viewer] = [new NatsRoll(ours, { mayMake: true }), new NatsRoll(theirs, { mayMake: false })];
  });
  afterAll(async () => {
    await ours?.close();
    await theirs?.close();
  });

  it('workers() and sweeps() are empty where nobody has been, and are made by those who may', async () => {
    expect([await viewer!.workers(), await viewer!.sweeps()]).toEqual([[], []]);
    await expect(viewer!.showWorker(worker('w'))).rejects.toThrow();
    expect(await coordinator!.workers()).toEqual([]);
    await viewer!.showWorker(worker('w'));
    expect(await coordinator!.workers()).toMatchObject([worker('w')]);
  });

  it('showWorker(card) takes the place of the last card, hideWorker(id) takes it away', async () => {
    await viewer!.showWorker(worker('b'));
    await viewer!.showWorker(worker('a.1', { label: 'laptop' }));
    await viewer!.showWorker(worker('b', { state: 'held', reason: 'rest' }));
    await viewer!.hideWorker('w');
    const there = [worker('a.1', { label: 'laptop' }), worker('b', { state: 'held', reason: 'rest' })];
    expect(await coordinator!.workers()).toMatchObject(there);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await viewer!.showWorker(worker('b'));
    const [silent, heard] = (await viewer!.workers()).map(({ silentMs }) => silentMs);
    expect([silent! >= 300, silent! < 10_000, heard! < silent!]).toEqual([true, true, true]);
  });

  it('workers() leaves out what is no card', async () => {
    ours!.nc.publish('$KV.workers.liar', JSON.stringify({ ...worker('liar'), slots: 'all' }));
    ours!.nc.publish('$KV.workers.mute', 'nothing');
    await ours!.nc.flush();
    expect((await coordinator!.workers()).map(({ id }) => id)).toEqual(['a.1', 'b']);
  });

  it('claimSweep(card) is for one coordinator, and for the same one started again', async () => {
    expect(await coordinator!.claimSweep(sweep('x', 'here'))).toBeNull();
    expect(await coordinator!.claimSweep(sweep('x', 'here', { pid: 2 }))).toBeNull();
    expect(await coordinator!.claimSweep(sweep('x', 'there'))).toMatchObject(sweep('x', 'here', { pid: 2 }));
    expect(await coordinator!.claimSweep(sweep('x', 'there', { cap: 'cpu-2' }))).toBeNull();
    await coordinator!.hideSweep(sweep('x', 'here'));
    expect(await coordinator!.claimSweep(sweep('x', 'there'))).toBeNull();
    expect(await viewer!.sweeps()).toMatchObject([sweep('x', 'there'), sweep('x', 'there', { cap: 'cpu-2' })]);
  });

  it('of many that claim a sweep at once one has it', async () => {
    const claims = await Promise.all(Array.from({ length: 8 }, (_, i) => coordinator!.claimSweep(sweep('y', `origin ${i}`))));
    expect(claims.filter((other) => other === null)).toHaveLength(1);
  });

  it('want(of, wish) is read by whom it concerns, and heard at once', async () => {
    const [one, all] = [{ worker: 'a.1' }, { sweep: 'x', cap: 'cpu-1' }];
    expect([await viewer!.wish(one), await viewer!.wish(all)]).toEqual([null, null]);
    const heard = new Promise<void>((resolve) => viewer!.onWish(resolve));
    await theirs!.nc.flush();
    await coordinator!.want(one, wish('hold'));
    await heard;
    await coordinator!.want(all, wish('pause'));
    expect([await viewer!.wish(one), await viewer!.wish(all)]).toEqual([wish('hold'), wish('pause')]);
    expect(await viewer!.wish({ sweep: 'x', cap: 'cpu-2' })).toBeNull();
  });
});
