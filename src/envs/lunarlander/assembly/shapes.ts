/** Outlines, masses and the constants of Box2D 2.3, in metres, kilograms, seconds, radians. */

export const SLOP: f32 = 0.005;
export const ANGULAR_SLOP: f32 = 0.0349065885;
/** Of a polygon's or an edge's skin. */
export const RADIUS: f32 = 0.01;
export const EPSILON: f32 = 1.1920929e-7;
export const PI: f32 = 3.14159274;
/** Seconds per step. */
export const STEP: f32 = 0.02;
export const ITERATIONS: i32 = 180;

/** The lander's centre of mass lies above its origin; the legs' is their origin. */
export const CENTER_Y: f32 = 0.101307191;
export const INV_MASS: f32 = 0.207612455;
export const INV_INERTIA: f32 = 1.27570426;
export const LEG_INV_MASS: f32 = 14.0624981;
export const LEG_INV_INERTIA: f32 = 558.363831;

/** Corners and outward normals, counter-clockwise, as Box2D orders them: from the lowest of the rightmost. */
const LANDER = memory.data<f32>([
  0.566666663, -0.333333343, 0.566666663, 0, 0.466666669, 0.566666663,
  -0.466666669, 0.566666663, -0.566666663, 0, -0.566666663, -0.333333343,
  1, 0, 0.98478359, 0.173785329, 0, 1, -0.98478359, 0.173785329, -1, 0, 0, -1,
]);
const LEG = memory.data<f32>([
  -0.0666666701, -0.266666681, 0.0666666701, -0.266666681, 0.0666666701, 0.266666681, -0.0666666701, 0.266666681,
  0, -1, 1, 0, 0, 1, -1, 0,
]);

// @ts-ignore: decorator
@inline
export function corners(body: i32): i32 {
  return body == 0 ? 6 : 4;
}

/** Address of the corners, 8 bytes each; the normals follow them. */
// @ts-ignore: decorator
@inline
export function outline(body: i32): usize {
  return body == 0 ? LANDER : LEG;
}

/** Where the corners' mean by area lies; not quite the centre of mass, for it is summed in another order. */
// @ts-ignore: decorator
@inline
export function centroidX(body: i32): f32 {
  return body == 0 ? 3.8670831e-09 : 0;
}

// @ts-ignore: decorator
@inline
export function centroidY(body: i32): f32 {
  return body == 0 ? 0.101307176 : 0;
}

// @ts-ignore: decorator
@inline
export function centerY(body: i32): f32 {
  return body == 0 ? CENTER_Y : 0;
}

// @ts-ignore: decorator
@inline
export function invMass(body: i32): f32 {
  return body == 0 ? INV_MASS : LEG_INV_MASS;
}

// @ts-ignore: decorator
@inline
export function invInertia(body: i32): f32 {
  return body == 0 ? INV_INERTIA : LEG_INV_INERTIA;
}
