import { strategy } from '../strategy.ts';
import { unchanged } from './shield.ts';

/** The base as it is: what every correction is compared with. */
export const none = strategy({
  name: 'none',
  source: 'control',
  needs: 'nothing',
  correct: (input, _options, engine) => unchanged(input, engine),
});
