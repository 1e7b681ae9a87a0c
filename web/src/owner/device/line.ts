import type { OwnDevice } from '../../shared/api/objects';
import { ago, moment, percent } from '../../shared/language/format';
import { language, t } from '../../shared/language/translate.svelte';
import { home } from '../state/home.svelte';
import type { View } from './view';
import { knownZone } from './zone';

export interface Line {
  text: string;
  tone: 'calm' | 'news' | 'bad';
}

/** A device in one line: the news if there is some, else whether it is there. */
export function lineOf(device: OwnDevice, view: View, now: number): Line {
  const calm = (text: string): Line => ({ text, tone: 'calm' });
  switch (view.kind) {
    case 'offered':
      return { text: t('offered.title', { version: view.available.version }), tone: 'news' };
    case 'deferred':
      return calm(deferredTitle(device, view.update.version, view.update.until, now));
    case 'asked':
      return calm(t('asked.title'));
    case 'working': {
      const done = percent(home.reached(view.update).fraction, language());
      return { text: `${t(`phase.${stepKey(view.update.phase)}`)} · ${done}`, tone: 'news' };
    }
    case 'done':
      return { text: t('done.title', { version: view.update.version }), tone: 'news' };
    case 'kept':
      return { text: t('kept.title'), tone: 'bad' };
    case 'vanished':
      return { text: t('vanished.title'), tone: 'bad' };
    default:
      return calm(presenceOf(device, now));
  }
}

export function deferredTitle(device: OwnDevice, version: string, until: string | null, now: number): string {
  if (!until) return t('deferred.title', { version });
  const zone = knownZone(device.time_zone);
  return t('deferred.title_at', { version, moment: moment(Date.parse(until), now, language(), zone) });
}

/** From when on the night decides about what is offered, if its owner has not by then. */
export function deadlineOf({ available, time_zone }: OwnDevice, now: number): string | undefined {
  if (!available?.deadline_at) return undefined;
  return t('offered.deadline', { moment: moment(Date.parse(available.deadline_at), now, language(), knownZone(time_zone)) });
}

/** Whether the device is there, and since when not. */
export function presenceOf(device: OwnDevice, now: number): string {
  if (device.online) return t('device.online');
  if (!device.last_seen_at) return t('device.never_seen');
  return t('device.offline', { ago: ago(Date.parse(device.last_seen_at), now, language()) });
}

/** The phases a device can be working in. */
export function stepKey(phase: string): 'waiting' | 'notified' | 'downloading' | 'verifying' | 'restarting' | 'testing' {
  switch (phase) {
    case 'waiting':
    case 'downloading':
    case 'verifying':
    case 'restarting':
    case 'testing':
      return phase;
    default:
      return 'notified';
  }
}
