import { sincos, sines, cosines } from './angles';
import {
  FREE, IMPULSE_X, IMPULSE_Y, IMPULSE_Z, INV2, INV3, K11, K12, K13, K22, K23, MINOR1, MINOR2, MINOR3, MIRROR, MOTOR_IMPULSE, RA_X, RA_Y,
  RB_X, RB_Y, SLIP_X, SLIP_Y, SLIP_Z, AT_LIMIT, add, all, choose, clamp, mul, neg, put, sub, vec,
} from './group';
import { ANGULAR_SLOP, CENTER_Y, INV_INERTIA, INV_MASS, LEG_INV_INERTIA, LEG_INV_MASS, SLOP, STEP } from './shapes';

/**
 * The joint between the lander (a) and a leg (b): a pin with a motor and a limit. `side` is -1 for leg 1, +1 for leg 2.
 * It sits in the lander's origin and at (20 side, 18)/30 of the leg.
 */
const ANCHOR_X: f32 = 0.6666667;
const ANCHOR_Y: f32 = 0.6;
/** Angle between the bodies that counts as 0, times side; pybox2d takes the one they have when they are joined. */
const REFERENCE: f32 = 0.05;
const SPEED: f32 = 0.3;
const MAX_MOTOR: f32 = STEP * 40;
const NEAR_LIMIT: f32 = 0.4;
const FAR_LIMIT: f32 = 0.9;
const MAX_TURN: f32 = 0.139626354;

const K33: f32 = INV_INERTIA + LEG_INV_INERTIA;
const MOTOR_MASS: f32 = <f32>1 / K33;

/** 1/x, and 0 for 0. */
function inverse(x: v128): v128 {
  return v128.and(f32x4.div(all(1), x), f32x4.ne(x, all(0)));
}

/** Angle of the joint. */
// @ts-ignore: decorator
@inline
function opening(a: v128, b: v128, side: f32): v128 {
  return sub(sub(b, a), all(side * REFERENCE));
}

// @ts-ignore: decorator
@inline
function lowest(side: f32): f32 {
  return side < 0 ? NEAR_LIMIT : -FAR_LIMIT;
}

// @ts-ignore: decorator
@inline
function highest(side: f32): f32 {
  return side < 0 ? FAR_LIMIT : -NEAR_LIMIT;
}

/** Arms and effective masses for this step, and the impulses of the last one as a start. Writes velocities. */
export function prepareJoint(
  joint: usize, side: f32, angleA: v128, angleB: v128, sinA: v128, cosA: v128, sinB: v128, cosB: v128, a: usize, b: usize,
): void {
  const mA = all(INV_MASS), mB = all(LEG_INV_MASS), iA = all(INV_INERTIA), iB = all(LEG_INV_INERTIA);
  const rAx = mul(sinA, all(CENTER_Y)), rAy = neg(mul(cosA, all(CENTER_Y)));
  const x = all(side * ANCHOR_X), y = all(ANCHOR_Y);
  const rBx = sub(mul(cosB, x), mul(sinB, y)), rBy = add(mul(sinB, x), mul(cosB, y));
  const m = add(mA, mB);
  const k11 = add(add(m, mul(mul(rAy, rAy), iA)), mul(mul(rBy, rBy), iB));
  const k12 = sub(neg(mul(mul(rAy, rAx), iA)), mul(mul(rBy, rBx), iB));
  const k13 = sub(neg(mul(rAy, iA)), mul(rBy, iB));
  const k22 = add(add(m, mul(mul(rAx, rAx), iA)), mul(mul(rBx, rBx), iB));
  const k23 = add(mul(rAx, iA), mul(rBx, iB));
  const k33 = all(K33);
  const minor1 = sub(mul(k22, k33), mul(k23, k23));
  const minor2 = sub(mul(k23, k13), mul(k12, k33));
  const minor3 = sub(mul(k12, k23), mul(k22, k13));
  put(joint, RA_X, rAx); put(joint, RA_Y, rAy); put(joint, RB_X, rBx); put(joint, RB_Y, rBy);
  put(joint, K11, k11); put(joint, K12, k12); put(joint, K22, k22); put(joint, K13, k13); put(joint, K23, k23);
  put(joint, MINOR1, minor1); put(joint, MINOR2, minor2); put(joint, MINOR3, minor3);
  put(joint, INV3, neg(inverse(add(add(mul(k11, minor1), mul(k12, minor2)), mul(k13, minor3)))));
  put(joint, INV2, inverse(sub(mul(k11, k22), mul(k12, k12))));

  const angle = opening(angleA, angleB, side);
  const low = f32x4.le(angle, all(lowest(side))), high = f32x4.ge(angle, all(highest(side)));
  const now = v128.or(v128.and(low, all(-1)), v128.and(high, all(1)));
  const z = v128.and(vec(joint, IMPULSE_Z), f32x4.eq(now, vec(joint, AT_LIMIT)));
  put(joint, IMPULSE_Z, z);
  put(joint, AT_LIMIT, now);
  put(joint, MIRROR, v128.and(high, i32x4.splat(0x80000000)));
  put(joint, FREE, v128.not(v128.or(low, high)));

  const px = vec(joint, IMPULSE_X), py = vec(joint, IMPULSE_Y), motor = vec(joint, MOTOR_IMPULSE);
  put(a, 0, sub(vec(a, 0), mul(mA, px)));
  put(a, 16, sub(vec(a, 16), mul(mA, py)));
  put(a, 32, sub(vec(a, 32), mul(iA, add(add(sub(mul(rAx, py), mul(rAy, px)), motor), z))));
  put(b, 0, add(vec(b, 0), mul(mB, px)));
  put(b, 16, add(vec(b, 16), mul(mB, py)));
  put(b, 32, add(vec(b, 32), mul(iB, add(add(sub(mul(rBx, py), mul(rBy, px)), motor), z))));
}

/**
 * One iteration over a joint's velocities: the motor, then pin and limit at once by Cramer's rule; where that would pull at the
 * limit, the limit's impulse becomes 0 and the pin is solved alone. Between the limits that is the same with an impulse of 0.
 * In three parts that pass their results through memory: `drive`, `pin`, `apply`.
 */
// @ts-ignore: decorator
@inline
export function drive(joint: usize, side: f32, a: usize, b: usize): void {
  const vAx = vec(a, 0), vAy = vec(a, 16), vBx = vec(b, 0), vBy = vec(b, 16);
  let wA = vec(a, 32), wB = vec(b, 32);
  const before = vec(joint, MOTOR_IMPULSE);
  const wanted = add(before, mul(all(-MOTOR_MASS), sub(sub(wB, wA), all(side * SPEED))));
  const motor = clamp(wanted, all(-MAX_MOTOR), all(MAX_MOTOR));
  const push = sub(motor, before);
  wA = sub(wA, mul(all(INV_INERTIA), push));
  wB = add(wB, mul(all(LEG_INV_INERTIA), push));
  put(joint, MOTOR_IMPULSE, motor);
  put(a, 32, wA);
  put(b, 32, wB);
  put(joint, SLIP_X, add(sub(sub(vBx, mul(wB, vec(joint, RB_Y))), vAx), mul(wA, vec(joint, RA_Y))));
  put(joint, SLIP_Y, sub(sub(add(vBy, mul(wB, vec(joint, RB_X))), vAy), mul(wA, vec(joint, RA_X))));
  put(joint, SLIP_Z, sub(wB, wA));
}

// @ts-ignore: decorator
@inline
export function pin(joint: usize): void {
  const cx = vec(joint, SLIP_X), cy = vec(joint, SLIP_Y), cz = vec(joint, SLIP_Z);
  const k11 = vec(joint, K11), k12 = vec(joint, K12), k22 = vec(joint, K22), k13 = vec(joint, K13), k23 = vec(joint, K23);
  const k33 = all(K33);
  const inv3 = vec(joint, INV3);
  const x3 = mul(inv3, add(add(mul(cx, vec(joint, MINOR1)), mul(cy, vec(joint, MINOR2))), mul(cz, vec(joint, MINOR3))));
  const y3 = mul(inv3, add(add(
    mul(k11, sub(mul(cy, k33), mul(cz, k23))), mul(k12, sub(mul(cz, k13), mul(cx, k33)))), mul(k13, sub(mul(cx, k23), mul(cy, k13)))));
  const z3 = mul(inv3, add(add(
    mul(k11, sub(mul(k22, cz), mul(k23, cy))), mul(k12, sub(mul(k23, cx), mul(k12, cz)))), mul(k13, sub(mul(k12, cy), mul(k22, cx)))));
  const held = vec(joint, IMPULSE_Z);
  const sum = add(held, z3);
  const pulls = v128.or(f32x4.lt(v128.xor(sum, vec(joint, MIRROR)), all(0)), vec(joint, FREE));
  const inv2 = vec(joint, INV2);
  const bx = sub(mul(held, k13), cx), by = sub(mul(held, k23), cy);
  const x = choose(pulls, mul(inv2, sub(mul(k22, bx), mul(k12, by))), x3);
  const y = choose(pulls, mul(inv2, sub(mul(k11, by), mul(k12, bx))), y3);
  const z = choose(pulls, v128.xor(held, all(-0.0)), z3);
  put(joint, IMPULSE_X, add(vec(joint, IMPULSE_X), x));
  put(joint, IMPULSE_Y, add(vec(joint, IMPULSE_Y), y));
  put(joint, IMPULSE_Z, v128.andnot(sum, pulls));
  put(joint, SLIP_X, x);
  put(joint, SLIP_Y, y);
  put(joint, SLIP_Z, z);
}

// @ts-ignore: decorator
@inline
export function apply(joint: usize, a: usize, b: usize): void {
  const mA = all(INV_MASS), mB = all(LEG_INV_MASS), iA = all(INV_INERTIA), iB = all(LEG_INV_INERTIA);
  const x = vec(joint, SLIP_X), y = vec(joint, SLIP_Y), z = vec(joint, SLIP_Z);
  put(a, 32, sub(vec(a, 32), mul(iA, add(sub(mul(vec(joint, RA_X), y), mul(vec(joint, RA_Y), x)), z))));
  put(b, 32, add(vec(b, 32), mul(iB, add(sub(mul(vec(joint, RB_X), y), mul(vec(joint, RB_Y), x)), z))));
  put(a, 0, sub(vec(a, 0), mul(mA, x)));
  put(a, 16, sub(vec(a, 16), mul(mA, y)));
  put(b, 0, add(vec(b, 0), mul(mB, x)));
  put(b, 16, add(vec(b, 16), mul(mB, y)));
}

/** One iteration over a joint's positions, in the lanes of `active`; returns ones where limit and pin hold well enough. */
export function placeJoint(joint: usize, side: f32, a: usize, b: usize, active: v128): v128 {
  const mA = all(INV_MASS), mB = all(LEG_INV_MASS), iA = all(INV_INERTIA), iB = all(LEG_INV_INERTIA);
  const cAx = vec(a, 0), cAy = vec(a, 16), cBx = vec(b, 0), cBy = vec(b, 16);
  const angleA = vec(a, 32), angleB = vec(b, 32);
  const angle = opening(angleA, angleB, side);
  const isLow = f32x4.lt(vec(joint, AT_LIMIT), all(0));
  const isHigh = f32x4.gt(vec(joint, AT_LIMIT), all(0));
  const below = sub(angle, all(lowest(side))), above = sub(angle, all(highest(side)));
  const error = v128.or(v128.and(isLow, neg(below)), v128.and(isHigh, above));
  const back = v128.or(
    v128.and(isLow, clamp(add(below, all(ANGULAR_SLOP)), all(-MAX_TURN), all(0))),
    v128.and(isHigh, clamp(sub(above, all(ANGULAR_SLOP)), all(0), all(MAX_TURN))),
  );
  const limit = mul(all(-MOTOR_MASS), back);
  const tA = sub(angleA, mul(iA, limit)), tB = add(angleB, mul(iB, limit));

  sincos(tA);
  const rAx = mul(sines, all(CENTER_Y)), rAy = neg(mul(cosines, all(CENTER_Y)));
  sincos(tB);
  const anchorX = all(side * ANCHOR_X), anchorY = all(ANCHOR_Y);
  const rBx = sub(mul(cosines, anchorX), mul(sines, anchorY)), rBy = add(mul(sines, anchorX), mul(cosines, anchorY));
  const cx = sub(sub(add(cBx, rBx), cAx), rAx), cy = sub(sub(add(cBy, rBy), cAy), rAy);
  const gap = f32x4.sqrt(add(mul(cx, cx), mul(cy, cy)));
  const m = add(mA, mB);
  const k11 = add(add(m, mul(mul(iA, rAy), rAy)), mul(mul(iB, rBy), rBy));
  const k12 = sub(neg(mul(mul(iA, rAx), rAy)), mul(mul(iB, rBx), rBy));
  const k22 = add(add(m, mul(mul(iA, rAx), rAx)), mul(mul(iB, rBx), rBx));
  const inv = neg(inverse(sub(mul(k11, k22), mul(k12, k12))));
  const x = mul(inv, sub(mul(k22, cx), mul(k12, cy))), y = mul(inv, sub(mul(k11, cy), mul(k12, cx)));
  put(a, 0, choose(active, sub(cAx, mul(mA, x)), cAx));
  put(a, 16, choose(active, sub(cAy, mul(mA, y)), cAy));
  put(a, 32, choose(active, sub(tA, mul(iA, sub(mul(rAx, y), mul(rAy, x)))), angleA));
  put(b, 0, choose(active, add(cBx, mul(mB, x)), cBx));
  put(b, 16, choose(active, add(cBy, mul(mB, y)), cBy));
  put(b, 32, choose(active, add(tB, mul(iB, sub(mul(rBx, y), mul(rBy, x)))), angleB));
  return v128.and(f32x4.le(gap, all(SLOP)), f32x4.le(error, all(ANGULAR_SLOP)));
}
