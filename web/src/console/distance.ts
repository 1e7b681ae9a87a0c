import { ago } from '../shared/language/format';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** "3 minutes ago", "in 7 days"; what is a few seconds ahead is now, since clocks differ. */
export function distance(at: number, now: number, language: string): string {
  const ahead = at - now;
  if (ahead < MINUTE) return ago(at, now, language);
  const words = new Intl.RelativeTimeFormat(language);
  if (ahead < HOUR) return words.format(Math.round(ahead / MINUTE), 'minute');
  if (ahead < 2 * DAY) return words.format(Math.round(ahead / HOUR), 'hour');
  if (ahead < 2 * YEAR) return words.format(Math.round(ahead / DAY), 'day');
  return words.format(Math.floor(ahead / YEAR), 'year');
}
