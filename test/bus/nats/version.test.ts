import { describe, expect, it } from 'vitest';
import { isLoopback, isOlder, judgeVersion } from '../../../src/bus/nats/version.ts';

describe('versions of a server', () => {
  it.each([
    ['2.9.3', '2.9.4', true],
    ['2.9.4', '2.9.4', false],
    ['2.10.0', '2.9.4', false],
    ['2.9.10', '2.10.23', true],
    ['3.0.0', '2.14.0', false],
    ['2.14.0-RC.1', '2.14.0', false],
  ])('isOlder(%s, %s) is %s', (version, than, older) => {
    expect(isOlder(version, than)).toBe(older);
  });

  it.each([
    ['2.9.3', true, 'refused'],
    ['2.9.10', true, 'warning'],
    ['2.9.10', false, 'refused'],
    ['2.10.22', false, 'refused'],
    ['2.10.23', true, 'fine'],
    ['2.10.27', false, 'warning'],
    ['2.12.7', false, 'fine'],
    ['2.13.1', false, 'warning'],
    ['2.15.2', false, 'fine'],
    ['', true, 'refused'],
    ['two', true, 'refused'],
  ])('judgeVersion(%s, loopback %s): %s', (version, loopback, expected) => {
    const { refused, warning } = judgeVersion(version, loopback);
    expect(refused ? 'refused' : warning ? 'warning' : 'fine').toBe(expected);
  });

  it.each([
    ['127.0.0.1', true],
    ['localhost', true],
    ['[::1]', true],
    ['0.0.0.0', false],
    ['127.0.0.1.example.org', false],
    ['10.0.0.7', false],
  ])('isLoopback(%s) is %s', (host, loopback) => {
    expect(isLoopback(host)).toBe(loopback);
  });
});
