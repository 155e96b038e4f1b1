import { X1, X2, Y1, Y2, get } from './record';
import { EPSILON, corners, outline } from './shapes';

/**
 * The distance of an edge and a body's core, by Gilbert, Johnson and Keerthi: walks over the differences of their corners with a
 * simplex of up to three until it cannot come closer to the origin. Source: Box2D 2.3, b2Distance; the edge is where it is.
 */

/** The body's place for the time being. */
export let px: f32 = 0, py: f32 = 0, s: f32 = 0, c: f32 = 1;

export function setPlace(x: f32, y: f32, sine: f32, cosine: f32): void {
  px = x; py = y; s = sine; c = cosine;
}

/** Three corners of the simplex: point of the edge, of the body, difference, weight, indices of both. */
const SIMPLEX = memory.data(144, 16);
const ON_EDGE: usize = 0;
const ON_BODY: usize = 8;
const DIFFERENCE: usize = 16;
const WEIGHT: usize = 24;
const EDGE_INDEX: usize = 28;
const BODY_INDEX: usize = 32;
const CORNER: usize = 48;

const MAX_ITERATIONS: i32 = 20;

/** Corners in the simplex; after `distance` those that are closest. */
export let size: i32 = 0;
let lastMetric: f32 = 0;

export function forget(): void {
  size = 0;
}

export function edgeIndex(i: i32): i32 {
  return load<i32>(SIMPLEX + <usize>i * CORNER + EDGE_INDEX);
}

export function bodyIndex(i: i32): i32 {
  return load<i32>(SIMPLEX + <usize>i * CORNER + BODY_INDEX);
}

// @ts-ignore: decorator
@inline
function at(i: i32): usize {
  return SIMPLEX + <usize>i * CORNER;
}

// @ts-ignore: decorator
@inline
function dx(i: i32): f32 {
  return load<f32>(at(i) + DIFFERENCE);
}

// @ts-ignore: decorator
@inline
function dy(i: i32): f32 {
  return load<f32>(at(i) + DIFFERENCE + 4);
}

function weigh(i: i32, weight: f32): void {
  store<f32>(at(i) + WEIGHT, weight);
}

function copy(from: i32, to: i32): void {
  for (let k: usize = 0; k < CORNER; k += 16) v128.store(at(to) + k, v128.load(at(from) + k));
}

/** Corner i of the simplex from the indices of its two points. */
function corner(i: i32, edge: usize, body: i32, onEdge: i32, onBody: i32): void {
  const to = at(i);
  const x = onEdge == 0 ? get(edge, X1) : get(edge, X2), y = onEdge == 0 ? get(edge, Y1) : get(edge, Y2);
  const shape = outline(body) + (<usize>onBody << 3);
  const lx = load<f32>(shape), ly = load<f32>(shape, 4);
  const bx = (c * lx - s * ly) + px, by = (s * lx + c * ly) + py;
  store<f32>(to, x, ON_EDGE); store<f32>(to, y, ON_EDGE + 4);
  store<f32>(to, bx, ON_BODY); store<f32>(to, by, ON_BODY + 4);
  store<f32>(to, bx - x, DIFFERENCE); store<f32>(to, by - y, DIFFERENCE + 4);
  store<i32>(to, onEdge, EDGE_INDEX); store<i32>(to, onBody, BODY_INDEX);
}

/** The edge's end farthest along (x, y). */
export function edgeSupport(edge: usize, x: f32, y: f32): i32 {
  return get(edge, X2) * x + get(edge, Y2) * y > get(edge, X1) * x + get(edge, Y1) * y ? 1 : 0;
}

/** The body's corner farthest along (x, y), a direction in the world. */
export function bodySupport(body: i32, x: f32, y: f32): i32 {
  const lx = c * x + s * y, ly = -s * x + c * y;
  const shape = outline(body);
  const count = corners(body);
  let best = 0;
  let most = load<f32>(shape) * lx + load<f32>(shape, 4) * ly;
  for (let i = 1; i < count; i++) {
    const from = shape + (<usize>i << 3);
    const value = load<f32>(from) * lx + load<f32>(from, 4) * ly;
    if (value > most) {
      most = value;
      best = i;
    }
  }
  return best;
}

/** How large the simplex is: the length of a segment, twice the area of a triangle. */
function metric(): f32 {
  if (size == 2) {
    const x = dx(0) - dx(1), y = dy(0) - dy(1);
    return sqrt<f32>(x * x + y * y);
  }
  if (size == 3) return (dx(1) - dx(0)) * (dy(2) - dy(0)) - (dy(1) - dy(0)) * (dx(2) - dx(0));
  return 0;
}

/** The shares of corners i and j in the point of their segment that is closest to the origin, if it lies between them. */
let shareI: f32 = 0, shareJ: f32 = 0;
function shares(i: i32, j: i32): void {
  const ex = dx(j) - dx(i), ey = dy(j) - dy(i);
  shareI = dx(j) * ex + dy(j) * ey;
  shareJ = -(dx(i) * ex + dy(i) * ey);
}

/** Reduces the simplex to segment i, j. */
function keepSegment(i: i32, j: i32, ofI: f32, ofJ: f32): void {
  const inverse = <f32>1 / (ofI + ofJ);
  weigh(i, ofI * inverse);
  weigh(j, ofJ * inverse);
  size = 2;
}

function keepCorner(i: i32): void {
  if (i > 0) copy(i, 0);
  size = 1;
}

function solveSegment(): void {
  shares(0, 1);
  if (shareJ <= 0) return keepCorner(0);
  if (shareI <= 0) return keepCorner(1);
  keepSegment(0, 1, shareI, shareJ);
}

function cross(i: i32, j: i32): f32 {
  return dx(i) * dy(j) - dy(i) * dx(j);
}

/** In which region of the triangle the origin lies: by a corner, by a side, or within. */
function solveTriangle(): void {
  shares(0, 1);
  const i01 = shareI, j01 = shareJ;
  shares(0, 2);
  const i02 = shareI, j02 = shareJ;
  shares(1, 2);
  const i12 = shareI, j12 = shareJ;
  const area = (dx(1) - dx(0)) * (dy(2) - dy(0)) - (dy(1) - dy(0)) * (dx(2) - dx(0));
  const by0 = area * cross(1, 2), by1 = area * cross(2, 0), by2 = area * cross(0, 1);
  if (j01 <= 0 && j02 <= 0) return keepCorner(0);
  if (i01 > 0 && j01 > 0 && by2 <= 0) return keepSegment(0, 1, i01, j01);
  if (i02 > 0 && j02 > 0 && by1 <= 0) {
    keepSegment(0, 2, i02, j02);
    return copy(2, 1);
  }
  if (i01 <= 0 && j12 <= 0) return keepCorner(1);
  if (i02 <= 0 && i12 <= 0) return keepCorner(2);
  if (i12 > 0 && j12 > 0 && by0 <= 0) {
    keepSegment(1, 2, i12, j12);
    return copy(2, 0);
  }
  size = 3;
}

/** The distance with the body where it is now; begins with the simplex of the last call, if that still looks alike. */
export function distance(edge: usize, body: i32): f32 {
  for (let i = 0; i < size; i++) corner(i, edge, body, edgeIndex(i), bodyIndex(i));
  if (size > 1) {
    const now = metric();
    if (now < <f32>0.5 * lastMetric || <f32>2 * lastMetric < now || now < EPSILON) size = 0;
  }
  if (size == 0) {
    corner(0, edge, body, 0, 0);
    size = 1;
  }
  for (let n = 0; n < MAX_ITERATIONS; n++) {
    const count = size;
    // Which pairs of indices the simplex had: a corner found again means that there is none closer.
    const had0 = edgeIndex(0) | (bodyIndex(0) << 8);
    const had1 = count > 1 ? edgeIndex(1) | (bodyIndex(1) << 8) : -1;
    const had2 = count > 2 ? edgeIndex(2) | (bodyIndex(2) << 8) : -1;
    if (count == 2) solveSegment();
    else if (count == 3) solveTriangle();
    if (size == 3) break;
    let x = -dx(0), y = -dy(0);
    if (size == 2) {
      const ex = dx(1) - dx(0), ey = dy(1) - dy(0);
      const left = ey * dx(0) - ex * dy(0) > 0;
      x = left ? -ey : ey;
      y = left ? ex : -ex;
    }
    if (x * x + y * y < EPSILON * EPSILON) break;
    const onEdge = edgeSupport(edge, -x, -y), onBody = bodySupport(body, x, y);
    corner(size, edge, body, onEdge, onBody);
    const found = onEdge | (onBody << 8);
    if (found == had0 || found == had1 || found == had2) break;
    size++;
  }
  lastMetric = metric();
  if (size == 3) return 0;
  const w0 = load<f32>(at(0) + WEIGHT), w1 = load<f32>(at(1) + WEIGHT);
  const x = size == 1 ? between(0, 0) : blend(0, w0, w1), y = size == 1 ? between(0, 4) : blend(4, w0, w1);
  return sqrt<f32>(x * x + y * y);
}

function between(i: i32, axis: usize): f32 {
  return load<f32>(at(i) + ON_EDGE + axis) - load<f32>(at(i) + ON_BODY + axis);
}

function blend(axis: usize, w0: f32, w1: f32): f32 {
  const onEdge = w0 * load<f32>(at(0) + ON_EDGE + axis) + w1 * load<f32>(at(1) + ON_EDGE + axis);
  const onBody = w0 * load<f32>(at(0) + ON_BODY + axis) + w1 * load<f32>(at(1) + ON_BODY + axis);
  return onEdge - onBody;
}
