// Times, sizes and durations in the page's language. Pure: the language and the time are given.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "20 seconds ago", "yesterday"; never in the future, since clocks differ by seconds. */
export function ago(at: number, now: number, language: string): string {
  const passed = Math.max(0, now - at);
  const words = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
  if (passed < MINUTE) return words.format(-Math.max(1, Math.floor(passed / 1_000)), 'second');
  if (passed < HOUR) return words.format(-Math.floor(passed / MINUTE), 'minute');
  if (passed < DAY) return words.format(-Math.floor(passed / HOUR), 'hour');
  return words.format(-Math.floor(passed / DAY), 'day');
}

/** A length of time in the one unit that matters: "2 minutes", "40 seconds". */
export function duration(seconds: number, language: string): string {
  const [value, unit] =
    seconds < 55
      ? [Math.max(5, Math.round(seconds / 5) * 5), 'second']
      : seconds < 3_300
        ? [Math.max(1, Math.round(seconds / 60)), 'minute']
        : [Math.max(1, Math.round(seconds / 3_600)), 'hour'];
  return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(value);
}

/** "1.5 MB". */
export function size(bytes: number, language: string): string {
  const [value, unit] = bytes < 1_000_000 ? [Math.max(1, bytes / 1_000), 'kilobyte'] : [bytes / 1_000_000, 'megabyte'];
  const digits = value < 10 ? 1 : 0;
  const format = { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: digits } as const;
  return new Intl.NumberFormat(language, format).format(value);
}

/** A clock time; with the day, unless that is today. */
export function moment(at: number, now: number, language: string, timeZone?: string): string {
  const zone = timeZone ? { timeZone } : {};
  const day = (time: number) => new Intl.DateTimeFormat('en-CA', zone).format(time);
  const time = new Intl.DateTimeFormat(language, { hour: 'numeric', minute: '2-digit', ...zone }).format(at);
  if (day(at) === day(now)) return time;
  const near = Math.abs(at - now) < 6 * DAY;
  const parts = near ? ({ weekday: 'long' } as const) : ({ day: 'numeric', month: 'long' } as const);
  return new Intl.DateTimeFormat(language, { ...parts, hour: 'numeric', minute: '2-digit', ...zone }).format(at);
}

export function date(at: number, language: string): string {
  return new Intl.DateTimeFormat(language, { day: 'numeric', month: 'long', year: 'numeric' }).format(at);
}

export function percent(fraction: number, language: string): string {
  return new Intl.NumberFormat(language, { style: 'percent' }).format(fraction);
}

/** "64%", "5.1%", "0.07%": a part that may be small. */
export function share(fraction: number, language: string): string {
  return new Intl.NumberFormat(language, { style: 'percent', maximumSignificantDigits: 2 }).format(fraction);
}
