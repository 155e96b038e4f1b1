import { bodyAt, contactAt, pair, place, rebox, update } from './contacts';
import { cosine, sine, turn } from './angles';
import { POSITION, SLOT, SLOTS, VELOCITY, all } from './group';
import { impact } from './impact';
import { move } from './island';
import {
  ANGLE, ANGLE0, AWAKE, BODY_OF, COUNT, CX, CX0, CY, CY0, EDGE, EDGES, EDGE_OF, ENABLED, GROUND_START, START, TOUCHING, VX, get,
  set,
} from './record';
import { EPSILON, ITERATIONS, SLOP, STEP, invInertia, invMass } from './shapes';
import { clearSlot, fillSlot, placeTouch, prepareSlot, solveTouch } from './touches';

/** No body goes through the ground: what would is stopped at its time of impact and goes on from there with its contacts alone. */
const MAX_IMPACTS: i32 = 8;
const POSITION_ITERATIONS: i32 = 20;
const PUSH_SHARE: f32 = 0.75;

/** Per contact: time of impact, -1 while unknown; how many it had in this step. Numbers as in the record. */
const TIMES = memory.data(33 * 4);
const IMPACTS = memory.data(33 * 4);
/** Centres and angles of a body that may have to be put back. */
const BACKUP = memory.data(28);

/** Moves the start of a body's way to `time`. */
function advance(body: usize, time: f32): void {
  const start = get(body, START);
  const share = (time - start) / (<f32>1 - start);
  const rest = <f32>1 - share;
  set(body, CX0, rest * get(body, CX0) + share * get(body, CX));
  set(body, CY0, rest * get(body, CY0) + share * get(body, CY));
  set(body, ANGLE0, rest * get(body, ANGLE0) + share * get(body, ANGLE));
  set(body, START, time);
}

/** The time of impact of a contact, 1 if there is none in this step. */
function timeOf(world: usize, contact: usize, body: usize): f32 {
  // Body and ground must stand at the same time.
  const ground = get(world, GROUND_START), own = get(body, START);
  const start = max(ground, own);
  if (own < start) advance(body, start);
  if (ground < start) set(world, GROUND_START, start);
  const edge = world + EDGES + <usize>get(contact, EDGE_OF) * EDGE;
  const time = impact(edge, body, <i32>get(contact, BODY_OF));
  if (time < 0) return 1;
  return min(start + (<f32>1 - start) * time, 1);
}

/** After the step of the island: impacts one by one, the first first. */
export function advanceToImpacts(group: usize, world: usize): void {
  if (get(world, COUNT) == 0) return;
  set(world, GROUND_START, 0);
  for (let b = 0; b < 3; b++) set(bodyAt(world, b), START, 0);
  for (let i: usize = 0; i < 33; i++) {
    store<f32>(TIMES + (i << 2), -1);
    store<i32>(IMPACTS + (i << 2), 0);
  }
  for (;;) {
    let first = -1;
    let soonest: f32 = 1;
    for (let i = <i32>get(world, COUNT) - 1; i >= 0; i--) {
      const contact = contactAt(world, i);
      const at = <usize>i << 2;
      if (get(contact, ENABLED) == 0 || load<i32>(IMPACTS + at) > MAX_IMPACTS) continue;
      let time = load<f32>(TIMES + at);
      if (time < 0) {
        const body = bodyAt(world, <i32>get(contact, BODY_OF));
        if (get(body, AWAKE) == 0) continue;
        time = timeOf(world, contact, body);
        store<f32>(TIMES + at, time);
      }
      if (time < soonest) {
        first = i;
        soonest = time;
      }
    }
    if (first < 0 || <f32>1 - <f32>10 * EPSILON < soonest) return;
    strike(group, world, first, soonest);
  }
}

/** A body arrives at an impact: there it gets out of the ground and loses its speed into it, and goes on for the rest of the step. */
function strike(group: usize, world: usize, first: i32, time: f32): void {
  const contact = contactAt(world, first);
  const b = <i32>get(contact, BODY_OF);
  const body = bodyAt(world, b);
  for (let k: usize = 0; k < 4; k++) store<f32>(BACKUP + (k << 2), load<f32>(body + CX0 + (k << 2)));
  for (let k: usize = 0; k < 3; k++) store<f32>(BACKUP + 16 + (k << 2), load<f32>(body + CX + (k << 2)));
  const ground = get(world, GROUND_START);
  advance(body, time);
  set(world, GROUND_START, time);
  set(body, CX, get(body, CX0)); set(body, CY, get(body, CY0)); set(body, ANGLE, get(body, ANGLE0));
  place(body, b);
  update(world, contact);
  const at = <usize>first << 2;
  store<f32>(TIMES + at, -1);
  store<i32>(IMPACTS + at, load<i32>(IMPACTS + at) + 1);
  if (get(contact, TOUCHING) == 0) {
    set(contact, ENABLED, 0);
    set(world, GROUND_START, ground);
    for (let k: usize = 0; k < 4; k++) store<f32>(body + CX0 + (k << 2), load<f32>(BACKUP + (k << 2)));
    for (let k: usize = 0; k < 3; k++) store<f32>(body + CX + (k << 2), load<f32>(BACKUP + 16 + (k << 2)));
    return place(body, b);
  }

  // The contact itself, then the body's others.
  let slot = group + SLOTS;
  clearSlot(slot);
  fillSlot(slot, 0, contact);
  for (let i = <i32>get(world, COUNT) - 1; i >= 0; i--) {
    const other = contactAt(world, i);
    if (i == first || <i32>get(other, BODY_OF) != b) continue;
    update(world, other);
    if (get(other, TOUCHING) == 0) continue;
    slot += SLOT;
    clearSlot(slot);
    fillSlot(slot, 0, other);
  }
  glide(group, slot + SLOT, body, b, (<f32>1 - time) * STEP);

  for (let i = <i32>get(world, COUNT) - 1; i >= 0; i--) {
    if (<i32>get(contactAt(world, i), BODY_OF) == b) store<f32>(TIMES + (<usize>i << 2), -1);
  }
  turn(get(body, ANGLE0));
  if (rebox(world, b, sine, cosine)) pair(world, 1 << b);
}

/** Solves the slots up to `end`, which are one body's, in lane 0, and moves it for `time` seconds. */
function glide(group: usize, end: usize, body: usize, b: i32, time: f32): void {
  const p = group + POSITION, v = group + VELOCITY;
  for (let k: usize = 0; k < 3; k++) {
    v128.store(p + (k << 4), all(load<f32>(body + CX + (k << 2))));
    v128.store(v + (k << 4), all(load<f32>(body + VX + (k << 2))));
  }
  const slots = group + SLOTS;
  const only = i32x4(-1, 0, 0, 0);
  for (let n = 0; n < POSITION_ITERATIONS; n++) {
    let least = all(0);
    for (let slot = slots; slot < end; slot += SLOT) least = placeTouch(slot, b, PUSH_SHARE, p, only, least);
    if (f32x4.extract_lane(least, 0) >= <f32>-1.5 * SLOP) break;
  }
  const x = load<f32>(p), y = load<f32>(p, 16), angle = load<f32>(p, 32);
  set(body, CX0, x); set(body, CY0, y); set(body, ANGLE0, angle);
  turn(angle);
  const s = sine, c = cosine;
  for (let slot = slots; slot < end; slot += SLOT) prepareSlot(slot, 0, b, x, y, s, c, v, false);
  const mass = all(invMass(b)), inertia = all(invInertia(b));
  for (let n = 0; n < ITERATIONS; n++) {
    for (let slot = slots; slot < end; slot += SLOT) solveTouch(slot, mass, inertia, v);
  }
  move(p, v, all(time));
  for (let k: usize = 0; k < 3; k++) {
    store<f32>(body + CX + (k << 2), load<f32>(p + (k << 4)));
    store<f32>(body + VX + (k << 2), load<f32>(v + (k << 4)));
  }
  place(body, b);
}
