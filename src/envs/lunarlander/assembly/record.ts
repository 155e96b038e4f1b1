/**
 * Where the parts of a world lie. Everything is a float32, counts and flags too, so that a world's state is one array of numbers.
 * Bodies are 0 the lander, 1 the leg made first (the right one), 2 the other; joints are 0 of leg 1 and 1 of leg 2.
 * ../lunarlander.ts knows the same numbers, in words.
 */

/** A body: centre of mass and angle at the end of the step, velocities, origin and rotation. */
export const CX: usize = 0;
export const CY: usize = 4;
export const ANGLE: usize = 8;
export const VX: usize = 12;
export const VY: usize = 16;
export const W: usize = 20;
export const PX: usize = 24;
export const PY: usize = 28;
export const SIN: usize = 32;
export const COS: usize = 36;
/** Its fat box: wider than the body, so that pairs need not be sought in every step. */
export const BOX: usize = 40;
/** Seconds at rest; 1 while awake. */
export const REST: usize = 56;
export const AWAKE: usize = 60;
/** Centre and angle at time START of the step, which runs from 0 to 1. */
export const CX0: usize = 64;
export const CY0: usize = 68;
export const ANGLE0: usize = 72;
export const START: usize = 76;
export const BODY: usize = 80;

/** A joint: impulses along x, along y, against the limit, of the motor; then -1 at the lower limit, 1 at the upper, 0 between. */
export const JOINT: usize = 20;
export const JOINTS: usize = 3 * BODY;

/** Force and torque on the lander during the next step. */
export const FX: usize = JOINTS + 2 * JOINT;
export const FY: usize = FX + 4;
export const TORQUE: usize = FX + 8;
export const GRAVITY: usize = FX + 12;
/** START of the ground, which moves nowhere. */
export const GROUND_START: usize = FX + 16;
/** 1 once the lander has touched the ground; then 1 for each leg whose last contact event was a beginning. */
export const TOUCHED: usize = FX + 20;
/** Number of contacts, oldest first in CONTACTS. */
export const COUNT: usize = FX + 32;
export const HEIGHTS: usize = FX + 36;

/** A contact: whose edge and body (indices), flags, and its manifold: the face's normal and point, up to two points. */
export const EDGE_OF: usize = 0;
export const BODY_OF: usize = 4;
export const TOUCHING: usize = 8;
export const ENABLED: usize = 12;
/** 1 if the face is the body's, 0 if it is the edge. */
export const FACE_OF_BODY: usize = 16;
export const POINTS: usize = 20;
export const FACE: usize = 24;
/** A point: position, impulses along normal and tangent, and which features met. */
export const POINT: usize = 40;
export const POINT_SIZE: usize = 20;
export const NORMAL_IMPULSE: usize = 8;
export const TANGENT_IMPULSE: usize = 12;
export const FEATURES: usize = 16;
export const CONTACT: usize = 80;
export const CONTACTS: usize = HEIGHTS + 44;

/** An edge: ends, fat box, and the normal to the right of it, downwards. Made from HEIGHTS, not part of the state. */
export const X1: usize = 0;
export const Y1: usize = 4;
export const X2: usize = 8;
export const Y2: usize = 12;
export const EDGE_BOX: usize = 16;
export const DOWN_X: usize = 32;
export const DOWN_Y: usize = 36;
export const EDGE: usize = 40;
export const EDGES: usize = CONTACTS + 33 * CONTACT;
export const EDGE_COUNT: i32 = 11;

/** A multiple of 16. */
export const RECORD: usize = (EDGES + 11 * EDGE + 15) & ~15;

// @ts-ignore: decorator
@inline
export function get(at: usize, what: usize): f32 {
  return load<f32>(at + what);
}

// @ts-ignore: decorator
@inline
export function set(at: usize, what: usize, value: f32): void {
  store<f32>(at + what, value);
}
