import { cosines, sincos, sines } from './angles';
import { bodyAt, contactAt, pair, rebox, wake } from './contacts';
import {
  GROUP, IMPULSE_X, JOINT_BLOCKS, OF_BODY, OF_JOINT, OF_ROTATION, POSITION, ROTATION, SLOT, SLOTS, SLOT_COUNTS, VELOCITY, WORLDS, add, all,
  choose, mul, put, vec,
} from './group';
import { apply, drive, pin, placeJoint, prepareJoint } from './joints';
import {
  ANGLE, ANGLE0, AWAKE, BODY_OF, CONTACT, COS, COUNT, CX, CX0, CY, CY0, ENABLED, FX, FY, GRAVITY, JOINT, JOINTS, PX, PY, REST, SIN,
  TORQUE, TOUCHING, VX, VY, W, get, set,
} from './record';
import { ANGULAR_SLOP, ITERATIONS, PI, SLOP, STEP, centerY, invInertia, invMass } from './shapes';
import { clearSlot, fillSlot, keepImpulses, placeTouch, prepareSlot, solveTouch } from './touches';

const POSITION_ITERATIONS: i32 = 60;
const PUSH_SHARE: f32 = 0.2;
const MAX_STEP: f32 = 2;
const MAX_TURN: f32 = <f32>0.5 * PI;
/** Below these speeds a body rests; who rests this long falls asleep. */
const RESTING_SPEED: f32 = 0.01;
const RESTING_TURN: f32 = ANGULAR_SLOP;
const RESTING_TIME: f32 = 0.5;

/**
 * Constraints are solved body by body in this order; Box2D meets them so, from the newest body on. Only if a new pair woke the lander
 * alone, in the very step in which all fell asleep, would it begin elsewhere; that is not followed.
 */
// @ts-ignore: decorator
@inline
function inOrder(i: i32): i32 {
  return i == 0 ? 2 : i == 1 ? 0 : 1;
}

/** True if a contact of the world presses: then it needs slots. */
export function touches(world: usize): bool {
  const end = contactAt(world, <i32>get(world, COUNT));
  for (let contact = contactAt(world, 0); contact < end; contact += CONTACT) {
    if (get(contact, TOUCHING) != 0 && get(contact, ENABLED) != 0) return true;
  }
  return false;
}

/** Gives place `seat` of a group and the one after it to a world and starts its step: forces become velocities. */
export function board(groups: usize, seat: usize, world: usize): void {
  const group = groups + (seat >> 2) * GROUP;
  const lane = seat & 3;
  store<u32>(group + WORLDS + (lane << 2), <u32>world);
  const at = group + (lane << 2);
  const gravity = get(world, GRAVITY);
  for (let b = 0; b < 3; b++) {
    const body = bodyAt(world, b);
    const p = at + POSITION + <usize>b * OF_BODY, v = at + VELOCITY + <usize>b * OF_BODY, r = at + ROTATION + <usize>b * OF_ROTATION;
    const cx = get(body, CX), cy = get(body, CY), angle = get(body, ANGLE);
    set(body, CX0, cx); set(body, CY0, cy); set(body, ANGLE0, angle);
    store<f32>(p, cx); store<f32>(p, cy, 16); store<f32>(p, angle, 32);
    let vx = get(body, VX), vy = get(body, VY), w = get(body, W);
    if (b == 0) {
      vx += STEP * (invMass(0) * get(world, FX));
      vy += STEP * (gravity + invMass(0) * get(world, FY));
      w += STEP * invInertia(0) * get(world, TORQUE);
    } else {
      vy += STEP * gravity;
    }
    store<f32>(v, vx); store<f32>(v, vy, 16); store<f32>(v, w, 32);
    store<f32>(r, get(body, SIN)); store<f32>(r, get(body, COS), 16);
    wake(body);
  }
  for (let j: usize = 0; j < 2; j++) {
    const from = world + JOINTS + j * JOINT, to = at + JOINT_BLOCKS + j * OF_JOINT + IMPULSE_X;
    for (let k: usize = 0; k < 5; k++) store<f32>(to + (k << 4), load<f32>(from + (k << 2)));
  }
}

/** Fills the lanes from `count` on with lane 0. */
function repeat(group: usize, count: usize): void {
  for (let at = group; at < group + SLOT_COUNTS; at += 16) {
    for (let lane = count; lane < 4; lane++) store<f32>(at + (lane << 2), load<f32>(at));
  }
}

/** One slot after another for the pressing contacts: of leg 2, of the lander, of leg 1; each newest first. */
function takeSlots(group: usize, count: usize): void {
  let slot = group + SLOTS;
  for (let i = 0; i < 3; i++) {
    const b = inOrder(i);
    const first = slot;
    for (let lane: usize = 0; lane < count; lane++) {
      const world = <usize>load<u32>(group + WORLDS + (lane << 2));
      const body = bodyAt(world, b);
      let mine = first;
      for (let k = <i32>get(world, COUNT) - 1; k >= 0; k--) {
        const contact = contactAt(world, k);
        if (<i32>get(contact, BODY_OF) != b || get(contact, TOUCHING) == 0 || get(contact, ENABLED) == 0) continue;
        if (mine == slot) {
          clearSlot(slot);
          slot += SLOT;
        }
        fillSlot(mine, lane, contact);
        prepareSlot(mine, lane, b, get(body, CX), get(body, CY), get(body, SIN), get(body, COS),
          group + VELOCITY + <usize>b * OF_BODY, true);
        mine += SLOT;
      }
    }
    store<i32>(group + SLOT_COUNTS + (<usize>i << 2), <i32>((slot - first) / SLOT));
  }
}

/**
 * 180 iterations over the velocities: joint of leg 2, joint of leg 1, then the contacts. Each part waits for the one before, so two
 * groups are solved in turns, part by part: one works while the other waits (1.4 times the speed of one after the other).
 */
function iterateTwo(group: usize, other: usize, pressing: bool): void {
  const apart = other - group;
  const joint1 = group + JOINT_BLOCKS, joint2 = joint1 + OF_JOINT;
  const lander = group + VELOCITY, leg1 = lander + OF_BODY, leg2 = leg1 + OF_BODY;
  for (let i = 0; i < ITERATIONS; i++) {
    drive(joint2, 1, lander, leg2);
    drive(joint2 + apart, 1, lander + apart, leg2 + apart);
    pin(joint2);
    pin(joint2 + apart);
    apply(joint2, lander, leg2);
    apply(joint2 + apart, lander + apart, leg2 + apart);
    drive(joint1, -1, lander, leg1);
    drive(joint1 + apart, -1, lander + apart, leg1 + apart);
    pin(joint1);
    pin(joint1 + apart);
    apply(joint1, lander, leg1);
    apply(joint1 + apart, lander + apart, leg1 + apart);
    if (!pressing) continue;
    solveTouches(group);
    solveTouches(other);
  }
}

/** The same for a group alone. */
function iterate(group: usize, pressing: bool): void {
  const joint1 = group + JOINT_BLOCKS, joint2 = joint1 + OF_JOINT;
  const lander = group + VELOCITY, leg1 = lander + OF_BODY, leg2 = leg1 + OF_BODY;
  for (let i = 0; i < ITERATIONS; i++) {
    drive(joint2, 1, lander, leg2);
    pin(joint2);
    apply(joint2, lander, leg2);
    drive(joint1, -1, lander, leg1);
    pin(joint1);
    apply(joint1, lander, leg1);
    if (pressing) solveTouches(group);
  }
}

function solveTouches(group: usize): void {
  let slot = group + SLOTS;
  for (let i = 0; i < 3; i++) {
    const b = inOrder(i);
    const end = slot + <usize>load<i32>(group + SLOT_COUNTS + (<usize>i << 2)) * SLOT;
    for (; slot < end; slot += SLOT) solveTouch(slot, all(invMass(b)), all(invInertia(b)), group + VELOCITY + <usize>b * OF_BODY);
  }
}

/** Moves a body by its velocity during `time`, at most so far. */
export function move(position: usize, velocity: usize, time: v128): void {
  let vx = vec(velocity, 0), vy = vec(velocity, 16), w = vec(velocity, 32);
  const dx = mul(time, vx), dy = mul(time, vy);
  const square = add(mul(dx, dx), mul(dy, dy));
  const far = f32x4.gt(square, all(MAX_STEP * MAX_STEP));
  const ratio = choose(far, f32x4.div(all(MAX_STEP), f32x4.sqrt(square)), all(1));
  vx = mul(vx, ratio);
  vy = mul(vy, ratio);
  const turn = mul(time, w);
  const round = f32x4.gt(mul(turn, turn), all(MAX_TURN * MAX_TURN));
  w = mul(w, choose(round, f32x4.div(all(MAX_TURN), f32x4.abs(turn)), all(1)));
  put(velocity, 0, vx); put(velocity, 16, vy); put(velocity, 32, w);
  put(position, 0, add(vec(position, 0), mul(time, vx)));
  put(position, 16, add(vec(position, 16), mul(time, vy)));
  put(position, 32, add(vec(position, 32), mul(time, w)));
}

/** Up to 60 iterations over the positions: contacts, then joints. Returns ones in the lanes where all held well enough at last. */
function placeAll(group: usize, pressing: bool): v128 {
  const joint1 = group + JOINT_BLOCKS, joint2 = joint1 + OF_JOINT;
  const lander = group + POSITION, leg1 = lander + OF_BODY, leg2 = leg1 + OF_BODY;
  let active = i32x4.splat(-1);
  for (let n = 0; n < POSITION_ITERATIONS; n++) {
    let least = all(0);
    if (pressing) {
      let slot = group + SLOTS;
      for (let i = 0; i < 3; i++) {
        const b = inOrder(i);
        const end = slot + <usize>load<i32>(group + SLOT_COUNTS + (<usize>i << 2)) * SLOT;
        for (; slot < end; slot += SLOT) least = placeTouch(slot, b, PUSH_SHARE, group + POSITION + <usize>b * OF_BODY, active, least);
      }
    }
    let good = f32x4.ge(least, all(<f32>-3 * SLOP));
    good = v128.and(good, placeJoint(joint2, 1, lander, leg2, active));
    good = v128.and(good, placeJoint(joint1, -1, lander, leg1, active));
    active = v128.andnot(active, good);
    if (!v128.any_true(active)) break;
  }
  return v128.not(active);
}

/** What comes before the iterations: contacts and joints with the impulses of the last step. */
function prepare(group: usize, count: usize, pressing: bool): void {
  repeat(group, count);
  if (pressing) takeSlots(group, count);
  const lander = group + VELOCITY, turned = group + ROTATION;
  for (let i: usize = 0; i < 2; i++) {
    const j: usize = 1 - i;
    const leg = lander + (j + 1) * OF_BODY, turnedLeg = turned + (j + 1) * OF_ROTATION;
    prepareJoint(group + JOINT_BLOCKS + j * OF_JOINT, j == 0 ? -1 : 1, vec(group, POSITION + 32),
      vec(group, POSITION + (j + 1) * OF_BODY + 32), vec(turned, 0), vec(turned, 16), vec(turnedLeg, 0), vec(turnedLeg, 16), lander, leg);
  }
}

/** What comes after them: bodies move, positions are put right, the worlds get off. */
function finish(group: usize, count: usize, pressing: bool): void {
  if (pressing) {
    const slots = load<i32>(group + SLOT_COUNTS) + load<i32>(group + SLOT_COUNTS + 4) + load<i32>(group + SLOT_COUNTS + 8);
    for (let i = 0; i < slots; i++) {
      for (let lane: usize = 0; lane < count; lane++) keepImpulses(group + SLOTS + <usize>i * SLOT, lane);
    }
  }
  for (let b: usize = 0; b < 3; b++) move(group + POSITION + b * OF_BODY, group + VELOCITY + b * OF_BODY, all(STEP));
  const placed = i32x4.bitmask(placeAll(group, pressing));
  for (let b: usize = 0; b < 3; b++) {
    sincos(vec(group, POSITION + b * OF_BODY + 32));
    put(group, ROTATION + b * OF_ROTATION, sines);
    put(group, ROTATION + b * OF_ROTATION + 16, cosines);
  }
  for (let lane: usize = 0; lane < count; lane++) {
    const world = <usize>load<u32>(group + WORLDS + (lane << 2));
    land(group, lane, world, ((placed >> <i32>lane) & 1) != 0);
  }
}

/** Solves the `count` worlds, at most eight, that have boarded `group` and the one after it. */
export function solve(group: usize, count: usize, pressing: bool): void {
  if (count <= 4) {
    prepare(group, count, pressing);
    iterate(group, pressing);
    return finish(group, count, pressing);
  }
  const other = group + GROUP;
  prepare(group, 4, pressing);
  prepare(other, count - 4, pressing);
  iterateTwo(group, other, pressing);
  finish(group, 4, pressing);
  finish(other, count - 4, pressing);
}

/** Takes a world out of its lane, lets it fall asleep, finds new pairs. */
function land(group: usize, lane: usize, world: usize, placed: bool): void {
  const at = group + (lane << 2);
  for (let j: usize = 0; j < 2; j++) {
    const to = world + JOINTS + j * JOINT, from = at + JOINT_BLOCKS + j * OF_JOINT + IMPULSE_X;
    for (let k: usize = 0; k < 5; k++) store<f32>(to + (k << 2), load<f32>(from + (k << 4)));
  }
  let moved = 0;
  let rest = f32.MAX_VALUE;
  for (let b = 0; b < 3; b++) {
    const body = bodyAt(world, b);
    const p = at + POSITION + <usize>b * OF_BODY, v = at + VELOCITY + <usize>b * OF_BODY, r = at + ROTATION + <usize>b * OF_ROTATION;
    const cx = load<f32>(p), cy = load<f32>(p, 16), s = load<f32>(r), c = load<f32>(r, 16);
    const vx = load<f32>(v), vy = load<f32>(v, 16), w = load<f32>(v, 32);
    set(body, CX, cx); set(body, CY, cy); set(body, ANGLE, load<f32>(p, 32));
    set(body, VX, vx); set(body, VY, vy); set(body, W, w);
    const s0 = get(body, SIN), c0 = get(body, COS);
    set(body, SIN, s); set(body, COS, c);
    set(body, PX, cx + s * centerY(b)); set(body, PY, cy - c * centerY(b));
    if (rebox(world, b, s0, c0)) moved |= 1 << b;
    const still = !(w * w > RESTING_TURN * RESTING_TURN || vx * vx + vy * vy > RESTING_SPEED * RESTING_SPEED);
    const time = still ? get(body, REST) + STEP : 0;
    set(body, REST, time);
    rest = min(rest, time);
  }
  if (rest >= RESTING_TIME && placed) {
    for (let b = 0; b < 3; b++) {
      const body = bodyAt(world, b);
      set(body, AWAKE, 0); set(body, REST, 0);
      set(body, VX, 0); set(body, VY, 0); set(body, W, 0);
    }
  }
  pair(world, moved);
}
