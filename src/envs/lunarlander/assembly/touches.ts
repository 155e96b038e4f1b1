import { cosine, cosines, sincos, sine, sines } from './angles';
import {
  ARM_X, ARM_Y, B11, B12, B22, BODYS_FACE, FACE_AT_X, FACE_AT_Y, FACE_X, FACE_Y, FRICTION, HAS_POINT, I11, I12, I22, NEXT_HAS,
  NEXT_POINT, NORMAL_MASS, NORMAL_SUM, NORMAL_X, NORMAL_Y, POINT_X, POINT_Y, SECOND_POINT, SLOT, SOURCE, TANGENT_MASS, TANGENT_SUM,
  TWO, add, all, choose, clamp, mul, neg, put, sub, vec,
} from './group';
import { EDGE_OF, FACE, FACE_OF_BODY, NORMAL_IMPULSE, POINT, POINTS, POINT_SIZE, TANGENT_IMPULSE, get, set } from './record';
import { RADIUS, SLOP, centerY, invInertia, invMass } from './shapes';

/** Contact constraints: a body touches the ground, which does not give way. Restitution is 0. */
const MAX_PUSH: f32 = 0.2;
/** Two points are solved as one where their matrix is worse conditioned than this. */
const MAX_CONDITION: f32 = 1000;
// @ts-ignore: decorator
@inline
function putLane(slot: usize, what: usize, lane: usize, value: f32): void {
  store<f32>(slot + what + (lane << 2), value);
}

// @ts-ignore: decorator
@inline
function laneOf(slot: usize, what: usize, lane: usize): f32 {
  return load<f32>(slot + what + (lane << 2));
}

// @ts-ignore: decorator
@inline
function putMask(slot: usize, what: usize, lane: usize, value: bool): void {
  store<i32>(slot + what + (lane << 2), value ? -1 : 0);
}

export function clearSlot(slot: usize): void {
  for (let at = slot; at < slot + SLOT; at += 16) v128.store(at, i32x4.splat(0));
}

/** What a contact's positions need: its manifold, into one lane of a slot. */
export function fillSlot(slot: usize, lane: usize, contact: usize): void {
  for (let i: usize = 0; i < 4; i++) putLane(slot, FACE_X + (i << 4), lane, load<f32>(contact + FACE + (i << 2)));
  const count = <i32>get(contact, POINTS);
  for (let i = 0; i < count; i++) {
    const point = contact + POINT + <usize>i * POINT_SIZE;
    putLane(slot, POINT_X + <usize>i * NEXT_POINT, lane, get(point, 0));
    putLane(slot, POINT_Y + <usize>i * NEXT_POINT, lane, get(point, 4));
    putMask(slot, HAS_POINT + <usize>i * NEXT_HAS, lane, true);
  }
  putMask(slot, BODYS_FACE, lane, get(contact, FACE_OF_BODY) != 0);
  store<i32>(slot + SOURCE + (lane << 2), <i32>contact);
}

/**
 * What a contact's velocities need, with the body's centre at (cx, cy) and its angle's sine and cosine (s, c): arms, masses, and
 * with `warm` the impulses of the last step, which are applied to the velocities in lanes `velocity`.
 */
export function prepareSlot(slot: usize, lane: usize, body: i32, cx: f32, cy: f32, s: f32, c: f32, velocity: usize, warm: bool): void {
  const contact = <usize>load<u32>(slot + SOURCE + (lane << 2));
  const mass = invMass(body), inertia = invInertia(body);
  const px = cx + s * centerY(body), py = cy - c * centerY(body);
  let nx = get(contact, FACE), ny = get(contact, FACE + 4);
  let qx = get(contact, FACE + 8), qy = get(contact, FACE + 12);
  const ofBody = get(contact, FACE_OF_BODY) != 0;
  if (ofBody) {
    const lx = nx, ly = ny, fx = qx, fy = qy;
    nx = c * lx - s * ly; ny = s * lx + c * ly;
    qx = (c * fx - s * fy) + px; qy = (s * fx + c * fy) + py;
  }
  const sign: f32 = ofBody ? -1 : 1;
  const normalX = sign * nx, normalY = sign * ny;
  putLane(slot, NORMAL_X, lane, normalX);
  putLane(slot, NORMAL_Y, lane, normalY);
  const ground: f32 = get(contact, EDGE_OF) == 0 ? 0.2 : 0.1;
  const own: f32 = body == 0 ? 0.1 : 0.2;
  putLane(slot, FRICTION, lane, sqrt<f32>(ground * own));

  const count = <i32>get(contact, POINTS);
  let rn1: f32 = 0, rn2: f32 = 0;
  for (let i = 0; i < count; i++) {
    const point = contact + POINT + <usize>i * POINT_SIZE;
    const lx = get(point, 0), ly = get(point, 4);
    const x = ofBody ? lx : (c * lx - s * ly) + px, y = ofBody ? ly : (s * lx + c * ly) + py;
    // Halfway between the two skins.
    const depth = RADIUS - ((x - qx) * nx + (y - qy) * ny);
    const rx = <f32>0.5 * ((x + depth * nx) + (x - RADIUS * nx)) - cx;
    const ry = <f32>0.5 * ((y + depth * ny) + (y - RADIUS * ny)) - cy;
    const rn = rx * normalY - ry * normalX;
    const rt = -(rx * normalX) - ry * normalY;
    const at = slot + <usize>i * SECOND_POINT;
    putLane(at, ARM_X, lane, rx);
    putLane(at, ARM_Y, lane, ry);
    putLane(at, NORMAL_MASS, lane, <f32>1 / (mass + inertia * rn * rn));
    putLane(at, TANGENT_MASS, lane, <f32>1 / (mass + inertia * rt * rt));
    if (i == 0) rn1 = rn;
    else rn2 = rn;
  }
  let solved = count;
  if (count == 2) {
    const k11 = mass + inertia * rn1 * rn1, k22 = mass + inertia * rn2 * rn2, k12 = mass + inertia * rn1 * rn2;
    let det = k11 * k22 - k12 * k12;
    if (k11 * k11 < MAX_CONDITION * det) {
      if (det != 0) det = <f32>1 / det;
      putLane(slot, B11, lane, k11); putLane(slot, B12, lane, k12); putLane(slot, B22, lane, k22);
      putLane(slot, I11, lane, det * k22); putLane(slot, I12, lane, -det * k12); putLane(slot, I22, lane, det * k11);
      putMask(slot, TWO, lane, true);
    } else {
      solved = 1;
      putLane(slot + SECOND_POINT, NORMAL_MASS, lane, 0);
      putLane(slot + SECOND_POINT, TANGENT_MASS, lane, 0);
    }
  }
  if (!warm) return;
  let vx = laneOf(velocity, 0, lane), vy = laneOf(velocity, 16, lane), w = laneOf(velocity, 32, lane);
  for (let i = 0; i < solved; i++) {
    const point = contact + POINT + <usize>i * POINT_SIZE;
    const at = slot + <usize>i * SECOND_POINT;
    const normal = get(point, NORMAL_IMPULSE), tangent = get(point, TANGENT_IMPULSE);
    putLane(at, NORMAL_SUM, lane, normal);
    putLane(at, TANGENT_SUM, lane, tangent);
    const x = normal * normalX + tangent * normalY, y = normal * normalY - tangent * normalX;
    w += inertia * (laneOf(at, ARM_X, lane) * y - laneOf(at, ARM_Y, lane) * x);
    vx += mass * x;
    vy += mass * y;
  }
  putLane(velocity, 0, lane, vx); putLane(velocity, 16, lane, vy); putLane(velocity, 32, lane, w);
}

/** The impulses become the start of the next step. */
export function keepImpulses(slot: usize, lane: usize): void {
  const contact = <usize>load<u32>(slot + SOURCE + (lane << 2));
  if (contact == 0) return;
  const solved: usize = load<i32>(slot + TWO + (lane << 2)) != 0 ? 2 : 1;
  for (let i: usize = 0; i < solved; i++) {
    const point = contact + POINT + i * POINT_SIZE;
    set(point, NORMAL_IMPULSE, laneOf(slot + i * SECOND_POINT, NORMAL_SUM, lane));
    set(point, TANGENT_IMPULSE, laneOf(slot + i * SECOND_POINT, TANGENT_SUM, lane));
  }
}

/**
 * One iteration over a contact's velocities: friction at both points, then the normal impulses. Two points are solved at once: of
 * the four cases of which point presses, the first without contradiction holds; if there is none, nothing changes.
 */
export function solveTouch(slot: usize, mass: v128, inertia: v128, velocity: usize): void {
  let vx = vec(velocity, 0), vy = vec(velocity, 16), w = vec(velocity, 32);
  const nx = vec(slot, NORMAL_X), ny = vec(slot, NORMAL_Y), friction = vec(slot, FRICTION);
  const r1x = vec(slot, ARM_X), r1y = vec(slot, ARM_Y);
  const r2x = vec(slot, ARM_X + SECOND_POINT), r2y = vec(slot, ARM_Y + SECOND_POINT);
  const a1 = vec(slot, NORMAL_SUM), a2 = vec(slot, NORMAL_SUM + SECOND_POINT);

  let slip = sub(mul(sub(vx, mul(w, r1y)), ny), mul(add(vy, mul(w, r1x)), nx));
  let most = mul(friction, a1);
  let before = vec(slot, TANGENT_SUM);
  let after = clamp(sub(before, mul(vec(slot, TANGENT_MASS), slip)), neg(most), most);
  put(slot, TANGENT_SUM, after);
  let push = sub(after, before);
  let x = mul(push, ny), y = neg(mul(push, nx));
  vx = add(vx, mul(mass, x)); vy = add(vy, mul(mass, y));
  w = add(w, mul(inertia, sub(mul(r1x, y), mul(r1y, x))));

  const two = vec(slot, TWO);
  const some = v128.any_true(two);
  if (some) {
    slip = sub(mul(sub(vx, mul(w, r2y)), ny), mul(add(vy, mul(w, r2x)), nx));
    most = mul(friction, a2);
    before = vec(slot, TANGENT_SUM + SECOND_POINT);
    after = clamp(sub(before, mul(vec(slot, TANGENT_MASS + SECOND_POINT), slip)), neg(most), most);
    put(slot, TANGENT_SUM + SECOND_POINT, after);
    push = sub(after, before);
    x = mul(push, ny); y = neg(mul(push, nx));
    vx = add(vx, mul(mass, x)); vy = add(vy, mul(mass, y));
    w = add(w, mul(inertia, sub(mul(r2x, y), mul(r2y, x))));
  }

  const speed1 = add(mul(sub(vx, mul(w, r1y)), nx), mul(add(vy, mul(w, r1x)), ny));
  const single = f32x4.pmax(sub(a1, mul(vec(slot, NORMAL_MASS), speed1)), all(0));
  if (!some) {
    put(slot, NORMAL_SUM, single);
    push = sub(single, a1);
    x = mul(push, nx); y = mul(push, ny);
    put(velocity, 0, add(vx, mul(mass, x)));
    put(velocity, 16, add(vy, mul(mass, y)));
    put(velocity, 32, add(w, mul(inertia, sub(mul(r1x, y), mul(r1y, x)))));
    return;
  }
  const zero = all(0);
  const b12 = vec(slot, B12), i12 = vec(slot, I12);
  const speed2 = add(mul(sub(vx, mul(w, r2y)), nx), mul(add(vy, mul(w, r2x)), ny));
  const b1 = sub(speed1, add(mul(vec(slot, B11), a1), mul(b12, a2)));
  const b2 = sub(speed2, add(mul(b12, a1), mul(vec(slot, B22), a2)));
  const both1 = neg(add(mul(vec(slot, I11), b1), mul(i12, b2))), both2 = neg(add(mul(i12, b1), mul(vec(slot, I22), b2)));
  const both = v128.and(f32x4.ge(both1, zero), f32x4.ge(both2, zero));
  const first1 = neg(mul(vec(slot, NORMAL_MASS), b1));
  const first = v128.and(f32x4.ge(first1, zero), f32x4.ge(add(mul(b12, first1), b2), zero));
  const second2 = neg(mul(vec(slot, NORMAL_MASS + SECOND_POINT), b2));
  const second = v128.and(f32x4.ge(second2, zero), f32x4.ge(add(mul(b12, second2), b1), zero));
  const none = v128.and(f32x4.ge(b1, zero), f32x4.ge(b2, zero));
  // From the last case to the first, so that the first that holds is what remains.
  let x1 = choose(none, zero, a1), x2 = choose(none, zero, a2);
  x1 = choose(second, zero, x1); x2 = choose(second, second2, x2);
  x1 = choose(first, first1, x1); x2 = choose(first, zero, x2);
  x1 = choose(both, both1, x1); x2 = choose(both, both2, x2);
  x1 = choose(two, x1, single); x2 = choose(two, x2, a2);
  put(slot, NORMAL_SUM, x1);
  put(slot, NORMAL_SUM + SECOND_POINT, x2);
  const d1 = sub(x1, a1), d2 = sub(x2, a2);
  const p1x = mul(d1, nx), p1y = mul(d1, ny), p2x = mul(d2, nx), p2y = mul(d2, ny);
  put(velocity, 0, add(vx, mul(mass, add(p1x, p2x))));
  put(velocity, 16, add(vy, mul(mass, add(p1y, p2y))));
  put(velocity, 32, add(w, mul(inertia, add(sub(mul(r1x, p1y), mul(r1y, p1x)), sub(mul(r2x, p2y), mul(r2y, p2x))))));
}

/**
 * One iteration over a contact's positions in the lanes of `active`: pushes the body out by a share of what is deeper than the
 * slop. Returns the least separation seen, at most `least`.
 */
export function placeTouch(slot: usize, body: i32, share: f32, position: usize, active: v128, least: v128): v128 {
  const mass = all(invMass(body)), inertia = all(invInertia(body)), centre = all(centerY(body));
  const ofBody = vec(slot, BODYS_FACE);
  for (let i: usize = 0; i < 2; i++) {
    const here = v128.and(active, vec(slot, HAS_POINT + i * NEXT_HAS));
    if (!v128.any_true(here)) continue;
    const cx = vec(position, 0), cy = vec(position, 16), angle = vec(position, 32);
    sincos(angle);
    const s = sines, c = cosines;
    const px = add(cx, mul(s, centre)), py = sub(cy, mul(c, centre));
    const fx = vec(slot, FACE_X), fy = vec(slot, FACE_Y), qx = vec(slot, FACE_AT_X), qy = vec(slot, FACE_AT_Y);
    const lx = vec(slot, POINT_X + i * NEXT_POINT), ly = vec(slot, POINT_Y + i * NEXT_POINT);
    const nx = choose(ofBody, sub(mul(c, fx), mul(s, fy)), fx), ny = choose(ofBody, add(mul(s, fx), mul(c, fy)), fy);
    // Whatever is in the body's coordinates: the face if it is the body's, else the point.
    const ux = choose(ofBody, qx, lx), uy = choose(ofBody, qy, ly);
    const tx = add(sub(mul(c, ux), mul(s, uy)), px), ty = add(add(mul(s, ux), mul(c, uy)), py);
    const x = choose(ofBody, lx, tx), y = choose(ofBody, ly, ty);
    const dx = sub(x, choose(ofBody, tx, qx)), dy = sub(y, choose(ofBody, ty, qy));
    const separation = sub(sub(add(mul(dx, nx), mul(dy, ny)), all(RADIUS)), all(RADIUS));
    least = choose(here, f32x4.pmin(least, separation), least);
    const normalX = choose(ofBody, neg(nx), nx), normalY = choose(ofBody, neg(ny), ny);
    const rx = sub(x, cx), ry = sub(y, cy);
    const depth = clamp(mul(all(share), add(separation, all(SLOP))), all(-MAX_PUSH), all(0));
    const rn = sub(mul(rx, normalY), mul(ry, normalX));
    const impulse = neg(f32x4.div(depth, add(mass, mul(mul(inertia, rn), rn))));
    const ix = mul(impulse, normalX), iy = mul(impulse, normalY);
    put(position, 0, choose(here, add(cx, mul(mass, ix)), cx));
    put(position, 16, choose(here, add(cy, mul(mass, iy)), cy));
    put(position, 32, choose(here, add(angle, mul(inertia, sub(mul(rx, iy), mul(ry, ix)))), angle));
  }
  return least;
}
