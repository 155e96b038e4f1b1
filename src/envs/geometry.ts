import { cos, sin } from '../math/elementary.ts';
import { CONTINUOUS_GOAL, GOAL, MAX_POSITION, MIN_POSITION } from './mountaincar.ts';

/** x, y in pixels: the origin is bottom left, y points up. A canvas or an SVG must be flipped. */
export type Point = readonly [number, number];

/** Colours as CSS has them; null: none. */
export type Shape =
  | { readonly kind: 'polygon'; readonly points: readonly Point[]; readonly fill: string; readonly outline: string | null }
  | { readonly kind: 'polyline'; readonly points: readonly Point[]; readonly outline: string }
  | { readonly kind: 'circle'; readonly centre: Point; readonly radius: number; readonly fill: string; readonly outline: string | null };

/** How a world is drawn: what stays during an episode, and over it what moves, each from the back to the front. */
export interface Drawing {
  readonly framesPerSecond: number;
  /** From `VecEnv.scene`. */
  readonly scene: (scene: Float32Array) => Shape[];
  /** From `VecEnv.frame`. */
  readonly frame: (frame: Float32Array) => Shape[];
}

export const VIEW = { width: 600, height: 400 };

const [BLACK, WHITE, GREY, YELLOW] = ['#000000', '#ffffff', '#808080', '#cccc00'];

const polygon = (points: readonly Point[], fill: string, outline: string | null = null): Shape => ({
  kind: 'polygon',
  points,
  fill,
  outline,
});
const line = (points: readonly Point[], outline: string): Shape => ({ kind: 'polyline', points, outline });
const disc = (centre: Point, radius: number, fill: string): Shape => ({ kind: 'circle', centre, radius, fill, outline: null });

const rectangle = (left: number, bottom: number, right: number, top: number): Point[] => [
  [left, bottom],
  [left, top],
  [right, top],
  [right, bottom],
];
const background = polygon(rectangle(0, 0, VIEW.width, VIEW.height), WHITE);

/** Points turned by `angle` (rad, counter-clockwise) about the origin, scaled, then moved to `to`. */
function place(points: readonly Point[], angle: number, to: Point, scale = 1): Point[] {
  const [c, s] = [cos(angle), sin(angle)];
  return points.map(([x, y]): Point => [to[0] + scale * (c * x - s * y), to[1] + scale * (s * x + c * y)]);
}

/** A pennant to the right of a pole of 50 pixels. */
const flag = (x: number, y: number, pole: string): Shape[] => [
  line(
    [
      [x, y],
      [x, y + 50],
    ],
    pole,
  ),
  polygon(
    [
      [x, y + 50],
      [x, y + 40],
      [x + 25, y + 45],
    ],
    YELLOW,
  ),
];

const CART_SCALE = 125; // pixels per metre
const TRACK = 100; // pixels
const AXLE = 7.5; // above the track

/** Scene: nothing. Frame: x (m), theta (rad, clockwise from upright). */
const cartPole: Drawing = {
  framesPerSecond: 50,
  scene: () => [
    background,
    line(
      [
        [0, TRACK],
        [VIEW.width, TRACK],
      ],
      BLACK,
    ),
  ],
  frame: ([x, theta]) => {
    const px = VIEW.width / 2 + CART_SCALE * x!;
    const axle: Point = [px, TRACK + AXLE];
    return [
      polygon(place(rectangle(-25, -15, 25, 15), 0, [px, TRACK]), BLACK),
      polygon(place(rectangle(-5, -5, 5, 120), -theta!, axle), '#ca9865'),
      disc(axle, 5, '#8184cb'),
    ];
  },
};

const HILL_SCALE = VIEW.width / (MAX_POSITION - MIN_POSITION); // pixels per unit
const HILL_POINTS = 100;

/** Of the hill at position p, in pixels. */
const onHill = (p: number): Point => [(p - MIN_POSITION) * HILL_SCALE, (0.45 * sin(3 * p) + 0.55) * HILL_SCALE];

/** Scene: nothing. Frame: position. The car is turned by cos 3p rad, not by the slope's arctangent: Gymnasium's choice. */
const mountainCar = (goal: number): Drawing => ({
  framesPerSecond: 30,
  scene: () => [
    background,
    line(
      Array.from({ length: HILL_POINTS }, (_, i) => onHill(MIN_POSITION + ((MAX_POSITION - MIN_POSITION) * i) / (HILL_POINTS - 1))),
      BLACK,
    ),
    ...flag(...onHill(goal), BLACK),
  ],
  frame: ([position]) => {
    const [x, y] = onHill(position!);
    const angle = cos(3 * position!);
    const at: Point = [x, y + 10];
    return [
      polygon(place(rectangle(-20, 0, 20, 20), angle, at), BLACK),
      ...place(
        [
          [10, 0],
          [-10, 0],
        ],
        angle,
        at,
      ).map((centre) => disc(centre, 8, GREY)),
    ];
  },
});

const LANDER_SCALE = 30; // pixels per world unit; the shapes below are in pixels
const CHUNK = VIEW.width / 10;
const PAD = VIEW.height / 4;
const LANDER: readonly Point[] = [
  [-14, 17],
  [-17, 0],
  [-17, -10],
  [17, -10],
  [17, 0],
  [14, 17],
];
const LEG = rectangle(-2, -8, 2, 8);
const [HULL, HULL_EDGE, FLAME] = ['#8066e6', '#4d4d80', '#ff8080'];

/**
 * Scene: the terrain's 11 heights, world units. Frame: x, y, angle of lander, leg 1, leg 2 (world units, rad), then the power of the main
 * engine and that of the side engines, signed by the direction of the push (Gymnasium's `direction`), of the last step.
 * The flames are ours: Gymnasium has particles, which it draws by chance.
 */
const lunarLander: Drawing = {
  framesPerSecond: 50,
  scene: (heights) => [
    background,
    ...Array.from({ length: 10 }, (_, i) =>
      polygon(
        [
          [CHUNK * i, LANDER_SCALE * heights[i]!],
          [CHUNK * (i + 1), LANDER_SCALE * heights[i + 1]!],
          [CHUNK * (i + 1), VIEW.height],
          [CHUNK * i, VIEW.height],
        ],
        BLACK,
      ),
    ),
    ...flag(4 * CHUNK, PAD, WHITE),
    ...flag(6 * CHUNK, PAD, WHITE),
  ],
  frame: (f) => {
    const body = (points: readonly Point[], at: number): Point[] =>
      place(points, f[at + 2]!, [LANDER_SCALE * f[at]!, LANDER_SCALE * f[at + 1]!]);
    const [main, side] = [f[9]!, f[10]!];
    const flames: Point[][] = [];
    if (main > 0) {
      flames.push([
        [-5, -10],
        [5, -10],
        [0, -10 - 20 * main],
      ]);
    }
    if (side !== 0) {
      // On the left when it pushes to the right.
      const out = side > 0 ? -1 : 1;
      flames.push([
        [15 * out, 8],
        [14 * out, 14],
        [15 * out - 12 * side, 11],
      ]);
    }
    return [
      ...flames.map((points) => polygon(body(points, 0), FLAME)),
      polygon(body(LANDER, 0), HULL, HULL_EDGE),
      polygon(body(LEG, 3), HULL, HULL_EDGE),
      polygon(body(LEG, 6), HULL, HULL_EDGE),
    ];
  },
};

const DRAWINGS: Readonly<Record<string, Drawing>> = {
  'CartPole-v1': cartPole,
  'MountainCar-v0': mountainCar(GOAL),
  'MountainCarContinuous-v0': mountainCar(CONTINUOUS_GOAL),
  'LunarLander-v3': lunarLander,
  'LunarLanderContinuous-v3': lunarLander,
};

/** How Gymnasium draws the world of this id, as shapes of 600 x 400 pixels. Source: the `render` of each of its files; `scene` lies under `frame` throughout. */
export function drawingOf(id: string): Drawing {
  const drawing = Object.hasOwn(DRAWINGS, id) ? DRAWINGS[id] : undefined;
  if (!drawing) throw new RangeError(`drawingOf: expected one of ${Object.keys(DRAWINGS).join(', ')}, got ${id}`);
  return drawing;
}
