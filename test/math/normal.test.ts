import { describe, expect, it } from 'vitest';
import { LOG_SQRT_2PI, logNormalCdf, normalHazard } from '../../src/math/normal.ts';

/** x, log Φ(x), φ(x)/Φ(x), from 40 digits (mpmath, by the complementary error function). */
const KNOWN = [
  [-1000, -500007.82669481216, 1000.000999998],
  [-100, -5005.524208694205, 100.00999800099926],
  [-37.5, -707.6689893175072, 37.526628874883656],
  [-12, -75.4106730015688, 12.082214175254284],
  [-5, -15.064998393988725, 5.186503967125842],
  [-3.0000001, -6.607726549820219, 3.2830987478745177],
  [-3, -6.607726221510349, 3.2830986549304364],
  [-2.9999999, -6.607725893200489, 3.2830985619863555],
  [-2, -3.783184333682032, 2.373215532822841],
  [-1, -1.8410216450092636, 1.525135276160981],
  [-0.5, -1.1759117615936185, 1.1410777703680646],
  [-1e-8, -0.693147188538791, 0.7978845671690631],
  [0, -Math.LN2, 0.7978845608028654],
  [0.7, -0.2770239422771313, 0.41192475041929066],
  [1, -0.17275377902344988, 0.2875999709391784],
  [2.5, -0.006229025485860002, 0.017637825486916735],
  [3, -0.0013508099647481938, 0.004437839042125664],
  [4, -3.167174337748927e-5, 0.00013383446446857514],
  [6, -9.865876455243758e-10, 6.075882855817676e-9],
  [8.5, -9.479534822203318e-18, 8.16623563166955e-17],
  [37, -5.725571222524577e-300, 2.1200065515246056e-298],
] as const;

describe('the standard normal', () => {
  it.each(KNOWN)('at %d: log Φ and its derivative agree with 40 digits', (x, log, hazard) => {
    expect(Math.abs(logNormalCdf(x) / log - 1)).toBeLessThan(2e-13);
    expect(Math.abs(normalHazard(x) / hazard - 1)).toBeLessThan(2e-13);
  });

  it('both halves make a whole, and the derivative is what finite differences see', () => {
    for (let x = -8; x <= 8; x += 0.03125) {
      expect(Math.exp(logNormalCdf(x)) + Math.exp(logNormalCdf(-x))).toBeCloseTo(1, 13);
      const numeric = (logNormalCdf(x + 1e-5) - logNormalCdf(x - 1e-5)) / 2e-5;
      expect(Math.abs(numeric - normalHazard(x))).toBeLessThan(1e-8);
    }
    expect(LOG_SQRT_2PI).toBe(Math.log(Math.sqrt(2 * Math.PI)));
  });

  it('has limits, and NaN where it is given one', () => {
    expect([logNormalCdf(Infinity), logNormalCdf(1e200), logNormalCdf(-1e200)].map((y) => y + 0)).toEqual([0, 0, -Infinity]);
    expect([normalHazard(1e200), normalHazard(-1e200)]).toEqual([0, 1e200]);
    expect([logNormalCdf(Number.NaN), normalHazard(Number.NaN)]).toEqual([Number.NaN, Number.NaN]);
  });
});
