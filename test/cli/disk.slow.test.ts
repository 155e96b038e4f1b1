import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { scratch, spc } from './spc.ts';

/** A mount of its own needs a user namespace, or root; where neither is to be had, a limit on the size of files stands in (drill.slow.test.ts). */
const NAMESPACE = ['unshare', '--user', '--map-root-user', '--mount'];
const probe = spawnSync(NAMESPACE[0]!, [...NAMESPACE.slice(1), 'bash', '-c', 'mount -t tmpfs -o size=64k tmpfs /mnt'], {
  encoding: 'utf8',
});
const impossible = probe.status === 0 ? '' : (probe.stderr || String(probe.error ?? 'unshare failed')).trim();
if (impossible) process.stderr.write(`SKIPPED: the drill of a full disk cannot mount a tmpfs here (${impossible})\n`);

/** The command on a tmpfs that has room for so many KiB, one after the other; `f` stands for every byte taken by something else. */
const SIZES = ['4', '8', '16', '24', '28', '32', '40', '44', '100', 'f', '200', '300', '440', '65536'];
const SCRIPT = `
  here=$1; shift
  mkdir $here/disk && mount -t tmpfs -o size=4k tmpfs $here/disk
  for size in ${SIZES.join(' ')}; do
    if [ $size = f ]; then cat /dev/zero > $here/disk/filler 2> $here/dd; else mount -o remount,size=\${size}k $here/disk; fi
    "$@" > $here/$size.out 2> $here/$size.err; echo $? > $here/$size.code
    rm -f $here/disk/filler
    cp -r $here/disk $here/$size.copy
  done
`;

it.skipIf(impossible !== '')(
  'a full disk stops the run with a clear message and keeps its rows; with room it goes on, to the same bytes',
  async () => {
    const sweep = scratch({ seeds: 12 });
    expect((await spc(sweep.run)).code).toBe(0);
    const script = join(sweep.root, 'full.sh');
    writeFileSync(script, SCRIPT);
    const left = await spc(['run', sweep.file, '--results', join(sweep.root, 'disk'), '--quiet'], {
      shell: `${NAMESPACE.join(' ')} bash ${script} ${sweep.root} "$@"`,
    });
    expect([left.code, left.stderr]).toEqual([0, '']);

    const read = (name: string): string => readFileSync(join(sweep.root, name), 'utf8');
    const rows = (size: string): string[] =>
      ['bases.jsonl', 'trials.jsonl'].flatMap((name) => {
        const path = join(sweep.root, `${size}.copy`, 'quick', name);
        const text = spawnSync('cat', [path], { encoding: 'utf8' }).stdout; // a run may end before there are rows
        expect(text === '' || text.endsWith('\n')).toBe(true);
        return text.split('\n').slice(0, -1);
      });
    const said: string[] = [];
    for (const [i, size] of SIZES.entries()) {
      const last = i === SIZES.length - 1;
      expect([size, read(`${size}.code`)]).toEqual([size, last ? '0\n' : '1\n']);
      if (!last) {
        const message =
          /^\S+: (the line )?could not be written \(ENOSPC\)(; the rows before it are safe)?; the disk is full: make room, and the same command goes on\n$/;
        expect(read(`${size}.err`)).toMatch(message);
        said.push(
          read(`${size}.err`)
            .split(':')[0]!
            .replace(/^.*\/disk\/quick\//, '')
            .replace(/\/.*/, ''),
        );
      }
      for (const row of i > 0 ? rows(SIZES[i - 1]!) : []) expect(rows(size)).toContain(row);
    }
    // At least; where exactly the disk is full depends on which thread is first.
    expect(said).toEqual(expect.arrayContaining(['sweep.yaml', 'numerics.json', '.lock']));
    expect(said.some((name) => name.endsWith('.jsonl') || name === 'policies' || name === 'forget')).toBe(true);
    expect(rows('440').length).toBeGreaterThan(8); // a policy has 19 kB

    const whole = sweep.outcome();
    rmSync(sweep.folder, { recursive: true });
    cpSync(join(sweep.root, '65536.copy', 'quick'), sweep.folder, { recursive: true });
    expect(sweep.outcome()).toEqual(whole);
  },
);
