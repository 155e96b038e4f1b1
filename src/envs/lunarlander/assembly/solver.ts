/**
 * Box2D 2.3's world step for LunarLander: three bodies, two joints, eleven edges, 180 velocity and 60 position iterations, float32.
 * AssemblyScript, non-relaxed SIMD, no heap. Records of worlds lie one after the other from `origin()` on.
 * Written for this one world from the algorithms of E. Catto's Box2D (zlib licence), as the pybox2d 2.3.10 that Gymnasium uses has
 * them, in their order of float32 operations: the bits are the same. What never happens here is left out.
 */
import { turn, sine, cosine } from './angles';
import { advanceToImpacts } from './continuous';
import { bodyAt, box, findContacts, layGround } from './contacts';
import { GROUP } from './group';
import { board, solve, touches } from './island';
import { ANGLE, AWAKE, COS, CX, CY, FX, GRAVITY, HEIGHTS, PX, PY, RECORD, SIN, TORQUE, get, set } from './record';
import { CENTER_Y } from './shapes';

const START_X: f32 = 10;
const START_Y: f32 = 13.333333;
const LEG1_X: f32 = 10.666667;
const LEG2_X: f32 = 9.333333;
const LEG_ANGLE: f32 = 0.05;

/** Two groups for worlds in flight, two for those that touch the ground; the records follow. */
// @ts-ignore: decorator
@inline
function groups(): usize {
  return (__heap_base + 15) & ~15;
}

/** Bytes of a record, and where the first one lies. */
export function recordSize(): usize {
  return RECORD;
}

export function origin(): usize {
  return groups() + 4 * GROUP;
}

/** Lays the ground of a world after its heights. */
export function ground(world: usize): void {
  layGround(world);
}

/** A new world from HEIGHTS, GRAVITY and the force on the lander: everything in its place and at rest. */
export function begin(world: usize): void {
  for (let at: usize = 0; at < FX; at += 4) store<f32>(world + at, 0);
  for (let at: usize = TORQUE; at < HEIGHTS; at += 4) if (at != GRAVITY) store<f32>(world + at, 0);
  layGround(world);
  for (let b = 0; b < 3; b++) {
    const body = bodyAt(world, b);
    const side: f32 = b == 0 ? 0 : b == 1 ? -1 : 1;
    const x: f32 = b == 0 ? START_X : b == 1 ? LEG1_X : LEG2_X;
    turn(side * LEG_ANGLE);
    set(body, ANGLE, side * LEG_ANGLE);
    set(body, SIN, sine); set(body, COS, cosine);
    set(body, PX, x); set(body, PY, START_Y);
    set(body, CX, x); set(body, CY, b == 0 ? START_Y + CENTER_Y : START_Y);
    set(body, AWAKE, 1);
    box(world, b);
  }
}

/** Steps `count` worlds whose records' addresses lie at `list`: those in flight eight at a time, those that touch likewise. */
export function step(list: usize, count: i32): void {
  const flying = groups(), pressing = flying + 2 * GROUP;
  let aloft: usize = 0, landed: usize = 0;
  for (let i = 0; i < count; i++) {
    const world = <usize>load<u32>(list + (<usize>i << 2));
    findContacts(world);
    if (!awake(world)) continue;
    if (touches(world)) {
      board(pressing, landed++, world);
      if (landed < 8) continue;
      solve(pressing, landed, true);
      landed = 0;
    } else {
      board(flying, aloft++, world);
      if (aloft < 8) continue;
      solve(flying, aloft, false);
      aloft = 0;
    }
  }
  if (aloft > 0) solve(flying, aloft, false);
  if (landed > 0) solve(pressing, landed, true);
  for (let i = 0; i < count; i++) {
    const world = <usize>load<u32>(list + (<usize>i << 2));
    advanceToImpacts(flying, world);
    set(world, FX, 0); set(world, FX + 4, 0); set(world, TORQUE, 0);
  }
}

function awake(world: usize): bool {
  return get(bodyAt(world, 0), AWAKE) != 0 || get(bodyAt(world, 1), AWAKE) != 0 || get(bodyAt(world, 2), AWAKE) != 0;
}
