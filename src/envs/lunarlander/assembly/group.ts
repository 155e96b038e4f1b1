/**
 * Where the numbers of four worlds lie while they are solved together: vectors, one lane per world, at byte offsets of a group.
 * Lanes never meet: what a world does depends neither on its lane nor on the others. Lanes without a world repeat lane 0.
 */

/** Per body: centre x, y, angle, then velocities. */
export const POSITION: usize = 0;
export const VELOCITY: usize = 144;
/** The offset of body b within either. */
export const OF_BODY: usize = 48;
/** Per body: sine, cosine. */
export const ROTATION: usize = 288;
export const OF_ROTATION: usize = 32;

/** A joint's vectors. */
export const JOINT_BLOCKS: usize = 384;
export const OF_JOINT: usize = 384;
export const RA_X: usize = 0;
export const RA_Y: usize = 16;
export const RB_X: usize = 32;
export const RB_Y: usize = 48;
/** Effective mass: symmetric, 3 by 3. Its last entry is constant. */
export const K11: usize = 64;
export const K12: usize = 80;
export const K22: usize = 96;
export const K13: usize = 112;
export const K23: usize = 128;
/** 1 over its determinant and over that of its upper left part; the first's minors. */
export const INV3: usize = 144;
export const INV2: usize = 160;
export const MINOR1: usize = 176;
export const MINOR2: usize = 192;
export const MINOR3: usize = 208;
/** Impulses, as in a record. */
export const IMPULSE_X: usize = 224;
export const IMPULSE_Y: usize = 240;
export const IMPULSE_Z: usize = 256;
export const MOTOR_IMPULSE: usize = 272;
export const AT_LIMIT: usize = 288;
/** All ones where the joint is between its limits. */
export const FREE: usize = 304;
/** The sign bit where it is at the upper limit. */
export const MIRROR: usize = 320;
/** Relative velocity in the joint, then the impulse against it. */
export const SLIP_X: usize = 336;
export const SLIP_Y: usize = 352;
export const SLIP_Z: usize = 368;

/** How many contact constraints there are of leg 2, of the lander, of leg 1: in this order they are solved. i32. */
export const SLOT_COUNTS: usize = JOINT_BLOCKS + 2 * OF_JOINT;
/** i32: the worlds' records. */
export const WORLDS: usize = SLOT_COUNTS + 16;
export const SLOTS: usize = WORLDS + 16;

/** A contact constraint of one body with up to two points; a lane without one has zeros, which change nothing. */
export const NORMAL_X: usize = 0;
export const NORMAL_Y: usize = 16;
export const FRICTION: usize = 32;
/** All ones where both points count. */
export const TWO: usize = 48;
/** Per point: arm x, y, masses along normal and tangent, impulses. */
export const ARM_X: usize = 64;
export const ARM_Y: usize = 80;
export const NORMAL_MASS: usize = 96;
export const TANGENT_MASS: usize = 112;
export const NORMAL_SUM: usize = 128;
export const TANGENT_SUM: usize = 144;
export const SECOND_POINT: usize = 96;
/** The two normals' coupling and its inverse. */
export const B11: usize = 256;
export const B12: usize = 272;
export const B22: usize = 288;
export const I11: usize = 304;
export const I12: usize = 320;
export const I22: usize = 336;
/** For the positions: face's normal and point, both points, whose face it is, which points there are. */
export const FACE_X: usize = 352;
export const FACE_Y: usize = 368;
export const FACE_AT_X: usize = 384;
export const FACE_AT_Y: usize = 400;
export const POINT_X: usize = 416;
export const POINT_Y: usize = 432;
export const NEXT_POINT: usize = 32;
export const BODYS_FACE: usize = 480;
export const HAS_POINT: usize = 496;
export const NEXT_HAS: usize = 16;
/** i32: the contact in each lane, or 0. */
export const SOURCE: usize = 528;
export const SLOT: usize = 544;

export const GROUP: usize = SLOTS + 33 * SLOT;

// @ts-ignore: decorator
@inline
export function vec(at: usize, what: usize): v128 {
  return v128.load(at + what);
}

// @ts-ignore: decorator
@inline
export function put(at: usize, what: usize, value: v128): void {
  v128.store(at + what, value);
}

// @ts-ignore: decorator
@inline
export function add(a: v128, b: v128): v128 {
  return f32x4.add(a, b);
}

// @ts-ignore: decorator
@inline
export function sub(a: v128, b: v128): v128 {
  return f32x4.sub(a, b);
}

// @ts-ignore: decorator
@inline
export function mul(a: v128, b: v128): v128 {
  return f32x4.mul(a, b);
}

// @ts-ignore: decorator
@inline
export function neg(a: v128): v128 {
  return f32x4.neg(a);
}

// @ts-ignore: decorator
@inline
export function all(x: f32): v128 {
  return f32x4.splat(x);
}

/** Per lane `yes` where the mask has ones, `no` where it has zeros. */
// @ts-ignore: decorator
@inline
export function choose(mask: v128, yes: v128, no: v128): v128 {
  return v128.bitselect(yes, no, mask);
}

// @ts-ignore: decorator
@inline
export function clamp(x: v128, low: v128, high: v128): v128 {
  return f32x4.pmax(f32x4.pmin(x, high), low);
}
