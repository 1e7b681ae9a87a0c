import en from '../../messages/en.json';
import type { Language } from '../api/objects';
import { bestLanguage, fill, type Catalogue, type Values } from './catalogue';

export type Key = keyof typeof en;

const KEY = 'otaru.language';

type Load = () => Promise<{ default: Catalogue }>;
type Loaders = Partial<Record<Language, Load>>;

const loaders: Loaders[] = [
  { ja: () => import('../../messages/ja.json'), de: () => import('../../messages/de.json') },
];

const english: Catalogue = { ...en };
let catalogue = $state.raw<Catalogue>(english);
let current = $state<Language>('en');

/** The language the page is shown in. */
export const language = (): Language => current;

/** The text for a key, with its placeholders filled. */
export const t = (key: Key, values?: Values): string => textOf(key, values);

/** The text for a key that only an answer of the server knows, or nothing. */
export const maybe = (key: string): string | undefined => (key in catalogue ? textOf(key) : undefined);

export function textOf(key: string, values?: Values): string {
  return fill(catalogue[key] ?? english[key] ?? key, current, values);
}

/** Adds an entry's own texts: the English ones are there at once, the others come with their language. */
export function addTexts(inEnglish: Catalogue, others: Loaders): void {
  Object.assign(english, inEnglish);
  loaders.push(others);
  if (current === 'en') catalogue = english;
}

/** Shows the page in the language; English where its texts cannot be loaded. */
export async function showLanguage(wished: Language): Promise<void> {
  let next = english;
  if (wished !== 'en') {
    const parts = await Promise.all(loaders.map((load) => load[wished]?.())).catch(() => undefined);
    if (!parts) return;
    next = Object.assign({}, english, ...parts.map((part) => part?.default));
  }
  catalogue = next;
  current = wished;
  document.documentElement.lang = wished;
}

/** What was chosen on this phone, else what the browser prefers. */
export function preferredLanguage(): Language {
  const kept = localStorage.getItem(KEY);
  return bestLanguage(kept ? [kept] : navigator.languages);
}

/** Shows the language and keeps it for the next start, before anybody is signed in; `null` is the browser's. */
export async function chooseLanguage(wished: Language | null): Promise<void> {
  if (wished) localStorage.setItem(KEY, wished);
  else localStorage.removeItem(KEY);
  await showLanguage(preferredLanguage());
}
