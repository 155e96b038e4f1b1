import { describe, expect, it } from 'vitest';
import { ENVIRONMENTS } from '../../src/contract/environments.ts';
import { drawingOf, type Point, type Shape, VIEW } from '../../src/envs/geometry.ts';

/** A scene and a frame of each world, at rest. */
const AT_REST: Record<string, { scene: number[]; frame: number[] }> = {
  'CartPole-v1': { scene: [], frame: [0, 0] },
  'MountainCar-v0': { scene: [], frame: [-0.5] },
  'MountainCarContinuous-v0': { scene: [], frame: [-0.5] },
  'LunarLander-v3': { scene: Array(11).fill(3.3), frame: [10, 4, 0, 9, 3.7, 0.35, 11, 3.7, -0.35, 0, 0] },
  'LunarLanderContinuous-v3': { scene: Array(11).fill(3.3), frame: [10, 4, 0, 9, 3.7, 0.35, 11, 3.7, -0.35, 0, 0] },
};

const frameOf = (id: string, frame: number[]): Shape[] => drawingOf(id).frame(Float32Array.from(frame));
const sceneOf = (id: string, scene: number[]): Shape[] => drawingOf(id).scene(Float32Array.from(scene));
const pointsOf = (shape: Shape | undefined): readonly Point[] => (shape?.kind === 'circle' ? [shape.centre] : (shape?.points ?? []));
const rounded = (shape: Shape | undefined): number[][] => pointsOf(shape).map((point) => point.map((x) => Math.round(x * 100) / 100 + 0));

describe('drawingOf(id)', () => {
  it.each(Object.keys(ENVIRONMENTS))('draws %s: a background over the whole view, and finite shapes', (id) => {
    const { scene, frame } = AT_REST[id]!;
    const behind = sceneOf(id, scene);
    const moving = frameOf(id, frame);
    expect(rounded(behind[0])).toEqual([
      [0, 0],
      [0, VIEW.height],
      [VIEW.width, VIEW.height],
      [VIEW.width, 0],
    ]);
    expect(moving.length).toBeGreaterThanOrEqual(3);
    for (const shape of [...behind, ...moving]) {
      expect(pointsOf(shape).length).toBeGreaterThanOrEqual({ circle: 1, polyline: 2, polygon: 3 }[shape.kind]);
      expect(pointsOf(shape).flat().every(Number.isFinite)).toBe(true);
      for (const colour of ['fill' in shape ? shape.fill : null, shape.outline])
        if (colour !== null) expect(colour).toMatch(/^#[0-9a-f]{6}$/);
    }
    for (const shape of moving) {
      for (const [x, y] of pointsOf(shape)) expect([x >= 0, x <= VIEW.width, y >= 0, y <= VIEW.height]).toEqual([true, true, true, true]);
    }
    expect([30, 50]).toContain(drawingOf(id).framesPerSecond);
  });

  it('refuses an id without a drawing', () => {
    expect(() => drawingOf('Acrobot-v1')).toThrow(/^drawingOf: expected one of CartPole-v1, .*, got Acrobot-v1$/);
  });
});

describe('CartPole-v1', () => {
  it('stands upright in the middle, its pole 10 by 125 from 5 below the axle', () => {
    const [cart, pole, axle] = frameOf('CartPole-v1', [0, 0]);
    expect(rounded(cart)).toEqual([
      [275, 85],
      [275, 115],
      [325, 115],
      [325, 85],
    ]);
    expect(rounded(pole)).toEqual([
      [295, 102.5],
      [295, 227.5],
      [305, 227.5],
      [305, 102.5],
    ]);
    expect(axle).toEqual({ kind: 'circle', centre: [300, 107.5], radius: 5, fill: '#8184cb', outline: null });
  });

  it('moves 125 pixels per metre, and leans to the right for a positive theta', () => {
    const [cart, pole] = frameOf('CartPole-v1', [2, Math.PI / 2]);
    expect(rounded(cart)[0]).toEqual([525, 85]);
    expect(rounded(pole)).toEqual([
      [545, 112.5],
      [670, 112.5],
      [670, 102.5],
      [545, 102.5],
    ]);
  });
});

describe('the mountain cars', () => {
  it('stand on the hill, turned by cos 3p, with the flag at their goal', () => {
    const bottom = -Math.PI / 6; // cos 3p = 0, and the lowest point
    const [car, ...wheels] = frameOf('MountainCar-v0', [bottom]);
    const x = (1.2 + bottom) / 0.003;
    const y = 0.1 / 0.003;
    expect(rounded(car)).toEqual(
      [
        [x - 20, y + 10],
        [x - 20, y + 30],
        [x + 20, y + 30],
        [x + 20, y + 10],
      ].map((point) => point.map((value) => Math.round(value * 100) / 100)),
    );
    expect(wheels.map((wheel) => rounded(wheel)[0]![1])).toEqual([43.33, 43.33]);
    const flagAt = (id: string) => pointsOf(sceneOf(id, []).at(-1))[0]![0];
    expect([flagAt('MountainCar-v0'), flagAt('MountainCarContinuous-v0')].map(Math.round)).toEqual([567, 550]);
  });

  it('the hill goes from end to end', () => {
    const hill = pointsOf(sceneOf('MountainCar-v0', [])[1]);
    expect([hill.length, hill[0]![0], Math.round(hill.at(-1)![0])]).toEqual([100, 0, 600]);
  });
});

describe('LunarLander-v3', () => {
  const { scene, frame } = AT_REST['LunarLander-v3']!;

  it('stands on its legs at rest: hull and legs, no flames', () => {
    const shapes = frameOf('LunarLander-v3', frame);
    expect(shapes.map(({ kind, outline }) => [kind, outline])).toEqual(Array(3).fill(['polygon', '#4d4d80']));
    expect(rounded(shapes[0])).toEqual([
      [286, 137],
      [283, 120],
      [283, 110],
      [317, 110],
      [317, 120],
      [314, 137],
    ]);
    const upright = frameOf('LunarLander-v3', [...frame.slice(0, 5), 0, ...frame.slice(6)]);
    expect(rounded(upright[1])).toEqual([
      [268, 103],
      [268, 119],
      [272, 119],
      [272, 103],
    ]);
  });

  it('turns counter-clockwise for a positive angle', () => {
    const [hull] = frameOf('LunarLander-v3', [10, 4, Math.PI / 2, ...frame.slice(3)]);
    expect(rounded(hull)[0]).toEqual([283, 106]);
  });

  it('burns below for the main engine, and on the left when a side engine pushes to the right', () => {
    const flames = (main: number, side: number) =>
      frameOf('LunarLander-v3', [...frame.slice(0, 9), main, side])
        .slice(0, -3)
        .map((shape) => rounded(shape)[2]);
    expect(flames(1, 0)).toEqual([[300, 90]]);
    expect(flames(0.5, 0)).toEqual([[300, 100]]);
    expect(flames(0, 1)).toEqual([[273, 131]]);
    expect(flames(0.5, -1)).toEqual([
      [300, 100],
      [327, 131],
    ]);
  });

  it('has a sky above its terrain and a flag at each end of the pad', () => {
    const sky = sceneOf('LunarLander-v3', [1, 2, ...scene.slice(2)]);
    expect(sky).toHaveLength(1 + 10 + 4);
    expect(rounded(sky[1])).toEqual([
      [0, 30],
      [60, 60],
      [60, 400],
      [0, 400],
    ]);
    expect(sky.filter(({ kind }) => kind === 'polyline').map((pole) => rounded(pole)[0])).toEqual([
      [240, 100],
      [360, 100],
    ]);
  });
});
