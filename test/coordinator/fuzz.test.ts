import { mangledRows } from './fuzzing.ts';
import { mangledSweeps } from './sweepfuzz.ts';

mangledRows(60); // more of them: fuzz.slow.test.ts
mangledSweeps(100);
