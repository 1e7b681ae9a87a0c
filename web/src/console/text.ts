import en from '../messages/console/en.json';
import type { Values } from '../shared/language/catalogue';
import { addTexts, textOf, type Key } from '../shared/language/translate.svelte';

addTexts(en, {
  ja: () => import('../messages/console/ja.json'),
  de: () => import('../messages/console/de.json'),
});

/** The console's own texts and those it shares with the owner's app. */
export const t = (key: keyof typeof en | Key, values?: Values): string => textOf(key, values);
