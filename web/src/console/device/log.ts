// A log record as a line. Pure: devices write what they like.
import type { LogEntry } from '../api/objects';
import { isObject } from './patch';

export type Level = 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';

export interface Line {
  id: number;
  /** When the device wrote it, else when the server had it; ms. */
  at: number;
  level: Level;
  code: string | undefined;
  message: string;
  /** What else the record holds, as it was. */
  rest: string | undefined;
}

const LEVELS: readonly string[] = ['DEBUG', 'INFO', 'WARN', 'ERROR'];
const SHOWN = ['timestamp', 'level', 'message', 'code', 'thingName'];

/** A device without a clock says 1970; one with a wrong one is believed. */
const EARLIEST_MS = Date.parse('2020-01-01T00:00:00Z');

export function lineOf({ id, received_at, record }: LogEntry): Line {
  const received = Date.parse(received_at);
  if (!isObject(record)) {
    return { id, at: received, level: 'INFO', code: undefined, message: JSON.stringify(record), rest: undefined };
  }
  const { timestamp, level, message, code } = record;
  const more = Object.entries(record).filter(([name, value]) => !SHOWN.includes(name) && value !== null);
  return {
    id,
    at: typeof timestamp === 'number' && timestamp >= EARLIEST_MS ? timestamp : received,
    level: typeof level === 'string' && LEVELS.includes(level) ? (level as Level) : 'INFO',
    code: typeof code === 'string' ? code : undefined,
    message: typeof message === 'string' ? message : JSON.stringify(message ?? ''),
    rest: more.length > 0 ? more.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(' ') : undefined,
  };
}

/** `11-25 21:36:29.409` in the reader's time zone: of one width, in order as text. */
export function stamp(at: number): string {
  const time = new Date(at);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':');
  return `${day} ${clock}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}
