import { cosine, sine, turn } from './angles';
import { bodyIndex, bodySupport, c, distance, edgeIndex, edgeSupport, forget, px, py, s, setPlace, size } from './distance';
import { ANGLE, ANGLE0, CX, CX0, CY, CY0, X1, X2, Y1, Y2, get } from './record';
import { EPSILON, PI, RADIUS, SLOP, centerY, outline } from './shapes';

/**
 * When a moving body first comes as near to an edge as TARGET, by conservative advancement: from the features that are closest at
 * one time follows an axis; along it the deepest corner at the end of the step is found, and brought back to TARGET by bisection
 * and secants in turn, until no corner is deeper. Source: Box2D 2.3, b2TimeOfImpact.
 */
const TARGET: f32 = RADIUS + RADIUS - <f32>3 * SLOP > SLOP ? RADIUS + RADIUS - <f32>3 * SLOP : SLOP;
const TOLERANCE: f32 = <f32>0.25 * SLOP;
const ROUNDS: i32 = 20;
const CORNERS: i32 = 16;
const ROOT_STEPS: i32 = 50;
const FULL_TURN: f32 = <f32>2 * PI;

/** Centre and angle at times 0 and 1; height of the centre over the origin. */
let x0: f32 = 0, y0: f32 = 0, a0: f32 = 0, x1: f32 = 0, y1: f32 = 0, a1: f32 = 0, centre: f32 = 0;

/** Which kind of axis: through two corners, across the edge, across a face of the body. */
const THROUGH_CORNERS: i32 = 0;
const ACROSS_EDGE: i32 = 1;
let kind: i32 = 0;
let axisX: f32 = 0, axisY: f32 = 0, midX: f32 = 0, midY: f32 = 0;
/** The corners that are measured along the axis. */
let onEdge: i32 = 0, onBody: i32 = 0;

function placeAt(t: f32): void {
  const rest = <f32>1 - t;
  turn(rest * a0 + t * a1);
  setPlace(rest * x0 + t * x1 + sine * centre, rest * y0 + t * y1 - cosine * centre, sine, cosine);
}

// @ts-ignore: decorator
@inline
function edgeX(edge: usize, i: i32): f32 {
  return i == 0 ? get(edge, X1) : get(edge, X2);
}

// @ts-ignore: decorator
@inline
function edgeY(edge: usize, i: i32): f32 {
  return i == 0 ? get(edge, Y1) : get(edge, Y2);
}

// @ts-ignore: decorator
@inline
function worldX(x: f32, y: f32): f32 {
  return (c * x - s * y) + px;
}

// @ts-ignore: decorator
@inline
function worldY(x: f32, y: f32): f32 {
  return (s * x + c * y) + py;
}

/** Along the axis, with the body where it is now. */
function separation(edge: usize, shape: usize): f32 {
  if (kind <= ACROSS_EDGE) {
    const at = shape + (<usize>onBody << 3);
    const lx = load<f32>(at), ly = load<f32>(at, 4);
    const fromX = kind == ACROSS_EDGE ? midX : edgeX(edge, onEdge), fromY = kind == ACROSS_EDGE ? midY : edgeY(edge, onEdge);
    return (worldX(lx, ly) - fromX) * axisX + (worldY(lx, ly) - fromY) * axisY;
  }
  const nx = c * axisX - s * axisY, ny = s * axisX + c * axisY;
  return (edgeX(edge, onEdge) - worldX(midX, midY)) * nx + (edgeY(edge, onEdge) - worldY(midX, midY)) * ny;
}

function normalize(): void {
  const length = sqrt<f32>(axisX * axisX + axisY * axisY);
  if (length < EPSILON) return;
  const inverse = <f32>1 / length;
  axisX *= inverse;
  axisY *= inverse;
}

/** The axis from the closest features, outward. */
function chooseAxis(edge: usize, shape: usize): void {
  onEdge = edgeIndex(0);
  onBody = bodyIndex(0);
  const b0 = shape + (<usize>onBody << 3);
  const lx = load<f32>(b0), ly = load<f32>(b0, 4);
  if (size == 1) {
    kind = THROUGH_CORNERS;
    axisX = worldX(lx, ly) - edgeX(edge, onEdge);
    axisY = worldY(lx, ly) - edgeY(edge, onEdge);
    return normalize();
  }
  let p1x: f32, p1y: f32, p2x: f32, p2y: f32;
  if (edgeIndex(0) == edgeIndex(1)) {
    kind = ACROSS_EDGE + 1;
    const b1 = shape + (<usize>bodyIndex(1) << 3);
    p1x = lx; p1y = ly; p2x = load<f32>(b1); p2y = load<f32>(b1, 4);
  } else {
    kind = ACROSS_EDGE;
    p1x = edgeX(edge, edgeIndex(0)); p1y = edgeY(edge, edgeIndex(0)); p2x = edgeX(edge, edgeIndex(1)); p2y = edgeY(edge, edgeIndex(1));
  }
  axisX = p2y - p1y;
  axisY = -(p2x - p1x);
  normalize();
  midX = <f32>0.5 * (p1x + p2x);
  midY = <f32>0.5 * (p1y + p2y);
  if (separation(edge, shape) < 0) {
    axisX = -axisX;
    axisY = -axisY;
  }
}

/** The deepest corners along the axis, with the body where it is now. */
function deepest(edge: usize, body: i32): void {
  if (kind <= ACROSS_EDGE) {
    if (kind == THROUGH_CORNERS) onEdge = edgeSupport(edge, axisX, axisY);
    onBody = bodySupport(body, -axisX, -axisY);
    return;
  }
  onEdge = edgeSupport(edge, -(c * axisX - s * axisY), -(s * axisX + c * axisY));
}

/** Time in [0, 1] at which a body on its way from CX0, CY0, ANGLE0 touches the edge; -1 if it does not, or already overlaps. */
export function impact(edge: usize, at: usize, body: i32): f32 {
  const shape = outline(body);
  centre = centerY(body);
  const turns = FULL_TURN * floor<f32>(get(at, ANGLE0) / FULL_TURN);
  x0 = get(at, CX0); y0 = get(at, CY0); a0 = get(at, ANGLE0) - turns;
  x1 = get(at, CX); y1 = get(at, CY); a1 = get(at, ANGLE) - turns;
  let time: f32 = 0;
  forget();
  for (let round = 0; round < ROUNDS; round++) {
    placeAt(time);
    const gap = distance(edge, body);
    if (gap <= 0) return -1;
    if (gap < TARGET + TOLERANCE) return time;
    chooseAxis(edge, shape);
    let end: f32 = 1;
    for (let corner = 0; corner < CORNERS; corner++) {
      placeAt(end);
      deepest(edge, body);
      let after = separation(edge, shape);
      if (after > TARGET + TOLERANCE) return -1;
      if (after > TARGET - TOLERANCE) {
        time = end;
        break;
      }
      placeAt(time);
      let before = separation(edge, shape);
      if (before < TARGET - TOLERANCE) return -1;
      if (before <= TARGET + TOLERANCE) return time;
      let low = time, high = end;
      for (let n = 0; n < ROOT_STEPS; n++) {
        const t = (n & 1) != 0 ? low + (TARGET - before) * (high - low) / (after - before) : <f32>0.5 * (low + high);
        placeAt(t);
        const now = separation(edge, shape);
        if (abs(now - TARGET) < TOLERANCE) {
          end = t;
          break;
        }
        if (now > TARGET) {
          low = t;
          before = now;
        } else {
          high = t;
          after = now;
        }
      }
    }
  }
  return -1;
}
