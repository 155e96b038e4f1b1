import { FACE, FACE_OF_BODY, FEATURES, POINT, POINTS, POINT_SIZE, X1, X2, Y1, Y2, DOWN_X, DOWN_Y, get, set } from './record';
import { ANGULAR_SLOP, RADIUS, centroidX, centroidY, corners, outline } from './shapes';

/** The body's corners and normals in world coordinates, 8 bytes each, at most 6 and 6. */
const TURNED = memory.data(96);
const NORMALS: usize = 48;
/** The segment that is clipped: two points and their features. */
const CLIPPED = memory.data(24);
const FEATURE: usize = 8;
const CLIP: usize = 12;

/**
 * Features in ten bits, which a float32 holds: the index on the edge, then the body's, four bits each, then which of them is a face.
 * As in Box2D the two change places where the face is the body's.
 */
const FIRST_IS_FACE: i32 = 256;
const SECOND_IS_FACE: i32 = 512;

// @ts-ignore: decorator
@inline
function dot(ax: f32, ay: f32, bx: f32, by: f32): f32 {
  return ax * bx + ay * by;
}

/**
 * Where an edge and a body at (px, py), turned by (s, c), meet: writes face, points and features into `contact`.
 * The axis of least overlap is sought among the edge's normal and the body's; the edge wins unless the body's face is clearly
 * better. The other shape's segment is clipped to the sides of that face, and what is not farther than both skins remains.
 * Source: Box2D 2.3, b2EPCollider for an edge without neighbours; the ground is never turned nor moved.
 */
export function collide(contact: usize, edge: usize, body: i32, px: f32, py: f32, s: f32, c: f32): void {
  set(contact, POINTS, 0);
  const count = corners(body);
  const shape = outline(body);
  const x1 = get(edge, X1), y1 = get(edge, Y1), x2 = get(edge, X2), y2 = get(edge, Y2);
  // The normal on the side where the body is.
  const downX = get(edge, DOWN_X), downY = get(edge, DOWN_Y);
  const cx = centroidX(body), cy = centroidY(body);
  const below = dot(downX, downY, (c * cx - s * cy) + px - x1, (s * cx + c * cy) + py - y1) >= 0;
  const nx = below ? downX : -downX;
  const ny = below ? downY : -downY;

  let edgeGap = f32.MAX_VALUE;
  for (let i = 0; i < count; i++) {
    const from = shape + (<usize>i << 3);
    const to = TURNED + (<usize>i << 3);
    const vx = load<f32>(from), vy = load<f32>(from, 4);
    const x = (c * vx - s * vy) + px;
    const y = (s * vx + c * vy) + py;
    store<f32>(to, x);
    store<f32>(to, y, 4);
    const gap = dot(nx, ny, x - x1, y - y1);
    if (gap < edgeGap) edgeGap = gap;
  }
  if (edgeGap > RADIUS + RADIUS) return;

  const normals = shape + (<usize>count << 3);
  let bodyGap = -f32.MAX_VALUE;
  let face = -1;
  for (let i = 0; i < count; i++) {
    const at = <usize>i << 3;
    const lx = load<f32>(normals + at), ly = load<f32>(normals + at, 4);
    const mx = c * lx - s * ly;
    const my = s * lx + c * ly;
    store<f32>(TURNED + at, mx, NORMALS);
    store<f32>(TURNED + at, my, NORMALS + 4);
    const x = load<f32>(TURNED + at), y = load<f32>(TURNED + at, 4);
    const gap1 = dot(-mx, -my, x - x1, y - y1);
    const gap2 = dot(-mx, -my, x - x2, y - y2);
    const gap = gap1 < gap2 ? gap1 : gap2;
    if (gap > RADIUS + RADIUS) return;
    if (dot(nx - mx, ny - my, nx, ny) < -ANGULAR_SLOP) continue;
    if (gap > bodyGap) {
      bodyGap = gap;
      face = i;
    }
  }

  const ofBody = face >= 0 && bodyGap > <f32>0.98 * edgeGap + <f32>0.001;
  let ax: f32, ay: f32, bx: f32, by: f32, fx: f32, fy: f32;
  let side1: i32, side2: i32;
  if (ofBody) {
    segment(0, x1, y1, (face << 4) | SECOND_IS_FACE);
    segment(1, x2, y2, (face << 4) | SECOND_IS_FACE);
    side1 = face;
    side2 = face + 1 < count ? face + 1 : 0;
    const at1 = TURNED + (<usize>side1 << 3), at2 = TURNED + (<usize>side2 << 3);
    ax = load<f32>(at1); ay = load<f32>(at1, 4); bx = load<f32>(at2); by = load<f32>(at2, 4);
    fx = load<f32>(at1, NORMALS); fy = load<f32>(at1, NORMALS + 4);
  } else {
    // The body's face that looks most towards the edge.
    let best = 0;
    let least = f32.MAX_VALUE;
    for (let i = 0; i < count; i++) {
      const at = TURNED + (<usize>i << 3);
      const value = dot(nx, ny, load<f32>(at, NORMALS), load<f32>(at, NORMALS + 4));
      if (value < least) {
        least = value;
        best = i;
      }
    }
    const next = best + 1 < count ? best + 1 : 0;
    const at1 = TURNED + (<usize>best << 3), at2 = TURNED + (<usize>next << 3);
    segment(0, load<f32>(at1), load<f32>(at1, 4), (best << 4) | FIRST_IS_FACE);
    segment(1, load<f32>(at2), load<f32>(at2, 4), (next << 4) | FIRST_IS_FACE);
    side1 = below ? 0 : 1;
    side2 = 1 - side1;
    ax = below ? x1 : x2; ay = below ? y1 : y2; bx = below ? x2 : x1; by = below ? y2 : y1;
    fx = nx; fy = ny;
  }
  if (!clip(fy, -fx, dot(fy, -fx, ax, ay), side1)) return;
  if (!clip(-fy, fx, dot(-fy, fx, bx, by), side2)) return;

  if (ofBody) {
    const at = <usize>face << 3;
    store<f32>(contact, load<f32>(normals + at), FACE);
    store<f32>(contact, load<f32>(normals + at, 4), FACE + 4);
    store<f32>(contact, load<f32>(shape + at), FACE + 8);
    store<f32>(contact, load<f32>(shape + at, 4), FACE + 12);
  } else {
    store<f32>(contact, fx, FACE);
    store<f32>(contact, fy, FACE + 4);
    store<f32>(contact, ax, FACE + 8);
    store<f32>(contact, ay, FACE + 12);
  }
  set(contact, FACE_OF_BODY, ofBody ? 1 : 0);
  let found = 0;
  for (let i: usize = 0; i < 2; i++) {
    const at = CLIPPED + i * CLIP;
    const x = load<f32>(at), y = load<f32>(at, 4);
    if (!(dot(fx, fy, x - ax, y - ay) <= RADIUS + RADIUS)) continue;
    const point = contact + POINT + <usize>found * POINT_SIZE;
    // In the coordinates of the shape that does not own the face.
    const rx = x - px, ry = y - py;
    set(point, 0, ofBody ? x : c * rx + s * ry);
    set(point, 4, ofBody ? y : -s * rx + c * ry);
    const feature = load<i32>(at, FEATURE);
    set(point, FEATURES, <f32>(ofBody ? exchanged(feature) : feature));
    found++;
  }
  set(contact, POINTS, <f32>found);
}

function exchanged(feature: i32): i32 {
  return ((feature & 15) << 4) | ((feature >> 4) & 15) | ((feature & FIRST_IS_FACE) << 1) | ((feature & SECOND_IS_FACE) >> 1);
}

function segment(i: usize, x: f32, y: f32, feature: i32): void {
  const at = CLIPPED + i * CLIP;
  store<f32>(at, x);
  store<f32>(at, y, 4);
  store<i32>(at, feature, FEATURE);
}

/** Keeps of the segment what has n·p <= offset; false if not two points remain. A cut point is a corner of the face, `side`. */
function clip(nx: f32, ny: f32, offset: f32, side: i32): bool {
  const p = CLIPPED, q = CLIPPED + CLIP;
  const px = load<f32>(p), py = load<f32>(p, 4), qx = load<f32>(q), qy = load<f32>(q, 4);
  const dp = dot(nx, ny, px, py) - offset;
  const dq = dot(nx, ny, qx, qy) - offset;
  if (dp <= 0 && dq <= 0) return true;
  if (!(dp * dq < 0)) return false;
  const share = dp / (dp - dq);
  const cut = side | (load<i32>(p, FEATURE) & 0xf0) | SECOND_IS_FACE;
  const x = px + share * (qx - px), y = py + share * (qy - py);
  if (dp > 0) segment(0, qx, qy, load<i32>(q, FEATURE));
  segment(1, x, y, cut);
  return true;
}
