import { sine, cosine, turn } from './angles';
import { collide } from './manifold';
import {
  ANGLE, AWAKE, BODY, BODY_OF, BOX, CONTACT, CONTACTS, COS, COUNT, CX, CX0, CY, CY0, DOWN_X, DOWN_Y, EDGE, EDGES, EDGE_BOX,
  EDGE_COUNT, EDGE_OF, ENABLED, FEATURES, HEIGHTS, NORMAL_IMPULSE, POINT, POINTS, POINT_SIZE, PX, PY, REST, SIN, TANGENT_IMPULSE,
  TOUCHED, TOUCHING, X1, X2, Y1, Y2, get, set,
} from './record';
import { RADIUS, centerY, corners, outline } from './shapes';

/** How much wider a fat box is than what it holds, and by how many displacements it reaches ahead. */
const MARGIN: f32 = 0.1;
const AHEAD: f32 = 2;

/** The impulses of a contact's two points and what they belong to, before an update. */
const BEFORE = memory.data(40);

// @ts-ignore: decorator
@inline
export function contactAt(world: usize, i: i32): usize {
  return world + CONTACTS + <usize>i * CONTACT;
}

// @ts-ignore: decorator
@inline
export function bodyAt(world: usize, body: i32): usize {
  return world + <usize>body * BODY;
}

/** Makes the edges from HEIGHTS: the base from (0, 0) to (20, 0), then ten along the terrain, 2 apart. */
export function layGround(world: usize): void {
  for (let i = 0; i < EDGE_COUNT; i++) {
    const edge = world + EDGES + <usize>i * EDGE;
    const heights = world + HEIGHTS + (<usize>i << 2);
    const x1 = i == 0 ? <f32>0 : <f32>(i + i - 2);
    const x2 = i == 0 ? <f32>20 : <f32>(i + i);
    const y1: f32 = i == 0 ? 0 : load<f32>(heights - 4);
    const y2: f32 = i == 0 ? 0 : load<f32>(heights);
    set(edge, X1, x1); set(edge, Y1, y1); set(edge, X2, x2); set(edge, Y2, y2);
    set(edge, EDGE_BOX, x1 - RADIUS - MARGIN);
    set(edge, EDGE_BOX + 4, (y1 < y2 ? y1 : y2) - RADIUS - MARGIN);
    set(edge, EDGE_BOX + 8, x2 + RADIUS + MARGIN);
    set(edge, EDGE_BOX + 12, (y1 > y2 ? y1 : y2) + RADIUS + MARGIN);
    const dx = x2 - x1, dy = y2 - y1;
    const inverse = <f32>1 / sqrt<f32>(dx * dx + dy * dy);
    set(edge, DOWN_X, dy * inverse);
    set(edge, DOWN_Y, -(dx * inverse));
  }
}

/** The smallest box around a body at (px, py), turned by (s, c). */
let lowX: f32 = 0, lowY: f32 = 0, highX: f32 = 0, highY: f32 = 0;
function bound(body: i32, px: f32, py: f32, s: f32, c: f32): void {
  const shape = outline(body);
  let x0 = f32.MAX_VALUE, y0 = f32.MAX_VALUE, x1 = -f32.MAX_VALUE, y1 = -f32.MAX_VALUE;
  const end = shape + (<usize>corners(body) << 3);
  for (let at = shape; at < end; at += 8) {
    const vx = load<f32>(at), vy = load<f32>(at, 4);
    const x = c * vx - s * vy;
    const y = s * vx + c * vy;
    x0 = min(x0, x); x1 = max(x1, x); y0 = min(y0, y); y1 = max(y1, y);
  }
  lowX = x0 + px - RADIUS; lowY = y0 + py - RADIUS; highX = x1 + px + RADIUS; highY = y1 + py + RADIUS;
}

/** The fat box of a body that has not moved yet. */
export function box(world: usize, body: i32): void {
  const at = bodyAt(world, body);
  bound(body, get(at, PX), get(at, PY), get(at, SIN), get(at, COS));
  set(at, BOX, lowX - MARGIN);
  set(at, BOX + 4, lowY - MARGIN);
  set(at, BOX + 8, highX + MARGIN);
  set(at, BOX + 12, highY + MARGIN);
}

/**
 * Makes a body's fat box anew if it no longer holds the body where it started, turned by (s0, c0), and where it is.
 * True if it did: then pairs must be sought.
 */
export function rebox(world: usize, body: i32, s0: f32, c0: f32): bool {
  const at = bodyAt(world, body);
  const cy = centerY(body);
  const px0 = get(at, CX0) + s0 * cy;
  const py0 = get(at, CY0) - c0 * cy;
  bound(body, px0, py0, s0, c0);
  let x0 = lowX, y0 = lowY, x1 = highX, y1 = highY;
  const px = get(at, PX), py = get(at, PY);
  bound(body, px, py, get(at, SIN), get(at, COS));
  x0 = min(x0, lowX); y0 = min(y0, lowY); x1 = max(x1, highX); y1 = max(y1, highY);
  if (get(at, BOX) <= x0 && get(at, BOX + 4) <= y0 && x1 <= get(at, BOX + 8) && y1 <= get(at, BOX + 12)) return false;
  const dx = AHEAD * (px - px0), dy = AHEAD * (py - py0);
  x0 -= MARGIN; y0 -= MARGIN; x1 += MARGIN; y1 += MARGIN;
  set(at, BOX, dx < 0 ? x0 + dx : x0);
  set(at, BOX + 4, dy < 0 ? y0 + dy : y0);
  set(at, BOX + 8, dx < 0 ? x1 : x1 + dx);
  set(at, BOX + 12, dy < 0 ? y1 : y1 + dy);
  return true;
}

function overlap(a: usize, b: usize): bool {
  return !(get(b, 0) - get(a, 8) > 0 || get(b, 4) - get(a, 12) > 0 || get(a, 0) - get(b, 8) > 0 || get(a, 4) - get(b, 12) > 0);
}

/** Makes contacts of the pairs whose fat boxes overlap, for the bodies in the bit set `moved`; edges in order, then bodies. */
export function pair(world: usize, moved: i32): void {
  if (moved == 0) return;
  for (let e = 0; e < EDGE_COUNT; e++) {
    const edge = world + EDGES + <usize>e * EDGE;
    for (let b = 0; b < 3; b++) {
      if (((moved >> b) & 1) == 0) continue;
      const body = bodyAt(world, b);
      if (!overlap(edge + EDGE_BOX, body + BOX) || known(world, e, b)) continue;
      const count = <i32>get(world, COUNT);
      const contact = contactAt(world, count);
      for (let at: usize = 0; at < CONTACT; at += 16) v128.store(contact + at, i32x4.splat(0));
      set(contact, EDGE_OF, <f32>e);
      set(contact, BODY_OF, <f32>b);
      set(contact, ENABLED, 1);
      set(world, COUNT, <f32>(count + 1));
      wake(body);
    }
  }
}

function known(world: usize, edge: i32, body: i32): bool {
  const count = <i32>get(world, COUNT);
  for (let i = 0; i < count; i++) {
    const contact = contactAt(world, i);
    if (<i32>get(contact, EDGE_OF) == edge && <i32>get(contact, BODY_OF) == body) return true;
  }
  return false;
}

export function wake(body: usize): void {
  if (get(body, AWAKE) != 0) return;
  set(body, AWAKE, 1);
  set(body, REST, 0);
}

/** Drops contacts whose fat boxes have parted and finds anew where the others touch; newest first. */
export function findContacts(world: usize): void {
  for (let i = <i32>get(world, COUNT) - 1; i >= 0; i--) {
    const contact = contactAt(world, i);
    const b = <i32>get(contact, BODY_OF);
    const body = bodyAt(world, b);
    if (get(body, AWAKE) == 0) continue;
    const edge = world + EDGES + <usize>get(contact, EDGE_OF) * EDGE;
    if (overlap(edge + EDGE_BOX, body + BOX)) {
      update(world, contact);
      continue;
    }
    if (get(contact, TOUCHING) != 0 && b > 0) set(world, TOUCHED + (<usize>b << 2), 0);
    const count = <i32>get(world, COUNT) - 1;
    set(world, COUNT, <f32>count);
    const end = contactAt(world, count);
    for (let at = contact; at < end; at += 16) v128.store(at, v128.load(at, CONTACT));
  }
}

/** Finds anew where a contact touches; points that stay keep their impulses. */
export function update(world: usize, contact: usize): void {
  const before = <i32>get(contact, POINTS);
  for (let at: usize = 0; at < 40; at += 4) store<f32>(BEFORE + at, load<f32>(contact + POINT + at));
  set(contact, ENABLED, 1);
  const b = <i32>get(contact, BODY_OF);
  const body = bodyAt(world, b);
  const edge = world + EDGES + <usize>get(contact, EDGE_OF) * EDGE;
  collide(contact, edge, b, get(body, PX), get(body, PY), get(body, SIN), get(body, COS));
  const count = <i32>get(contact, POINTS);
  for (let i = 0; i < count; i++) {
    const point = contact + POINT + <usize>i * POINT_SIZE;
    set(point, NORMAL_IMPULSE, 0);
    set(point, TANGENT_IMPULSE, 0);
    for (let j = 0; j < before; j++) {
      const old = BEFORE + <usize>j * POINT_SIZE;
      if (get(old, FEATURES) != get(point, FEATURES)) continue;
      set(point, NORMAL_IMPULSE, get(old, NORMAL_IMPULSE));
      set(point, TANGENT_IMPULSE, get(old, TANGENT_IMPULSE));
      break;
    }
  }
  const touching: f32 = count > 0 ? 1 : 0;
  if (touching == get(contact, TOUCHING)) return;
  set(contact, TOUCHING, touching);
  // The lander's touch is never forgotten, a leg's is as soon as any of its contacts ends.
  if (b > 0 || touching != 0) set(world, TOUCHED + (<usize>b << 2), touching);
}

/** Origin and rotation of a body from its centre of mass and angle. */
export function place(at: usize, body: i32): void {
  turn(get(at, ANGLE));
  set(at, SIN, sine);
  set(at, COS, cosine);
  set(at, PX, get(at, CX) + sine * centerY(body));
  set(at, PY, get(at, CY) - cosine * centerY(body));
}
