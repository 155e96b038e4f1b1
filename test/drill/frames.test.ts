import { describe, expect, it } from 'vitest';
import { Frames } from './frames.ts';

const STREAM = [
  'CONNECT {"verbose":false}\r\n',
  'PUB $JS.ACK.TASKS.c.1.2.3.4.5 4\r\n+ACK\r\n',
  'HPUB lab.result.c.s.id _INBOX.x 12 17\r\nNATS/1.0\r\n\r\na\r\nbc\r\n',
  'PING\r\n',
  'MSG lab.task.c.s.id 7 $JS.ACK.TASKS.c.2.2.3.4.5 0\r\n\r\n',
  'HMSG a 7 12 12\r\nNATS/1.0\r\n\r\n\r\n',
];

describe('frames.push(chunk)', () => {
  it('gives the same messages wherever the stream is cut', () => {
    const text = STREAM.join('');
    for (let cut = 0; cut <= text.length; cut++) {
      const frames = new Frames();
      const got = [text.slice(0, cut), text.slice(cut)].flatMap((part) => frames.push(Buffer.from(part)));
      expect(got.map(({ bytes }) => bytes.toString())).toEqual(STREAM);
    }
  });

  it('reads what a message is about', () => {
    const got = new Frames().push(Buffer.from(STREAM.join('')));
    expect(got.map(({ verb, subject, reply, body }) => [verb, subject, reply, body.toString()])).toEqual([
      ['CONNECT', '', '', ''],
      ['PUB', '$JS.ACK.TASKS.c.1.2.3.4.5', '', '+ACK'],
      ['HPUB', 'lab.result.c.s.id', '_INBOX.x', 'a\r\nbc'],
      ['PING', '', '', ''],
      ['MSG', 'lab.task.c.s.id', '$JS.ACK.TASKS.c.2.2.3.4.5', ''],
      ['HMSG', 'a', '', ''],
    ]);
  });
});
