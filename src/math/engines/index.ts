import type { Engine } from '../engine.ts';
import { reference } from './reference.ts';
import { wasm } from './wasm.ts';

/** The engine of that name. Every network it makes has its own memory. */
export function makeEngine(name: 'wasm' | 'reference'): Engine {
  return name === 'wasm' ? wasm : reference;
}
