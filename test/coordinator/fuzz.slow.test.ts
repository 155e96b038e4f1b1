import { mangledRows } from './fuzzing.ts';
import { mangledSweeps } from './sweepfuzz.ts';

mangledRows(400);
mangledSweeps(1_000);
