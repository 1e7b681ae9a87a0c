export type Theme = 'system' | 'light' | 'dark';

const KEY = 'otaru.theme';

export function theme(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === 'light' || kept === 'dark' ? kept : 'system';
}

/** Keeps the choice for this phone and shows it; `theme.js` reads it before the next first paint. */
export function setTheme(choice: Theme): void {
  if (choice === 'system') {
    localStorage.removeItem(KEY);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(KEY, choice);
    document.documentElement.dataset.theme = choice;
  }
  paintFrame();
}

/** Gives the phone's status bar the colour of the sky. */
export function paintFrame(): void {
  let meta = document.querySelector<HTMLMetaElement>('meta[name="theme-color"]');
  if (!meta) {
    meta = document.createElement('meta');
    meta.name = 'theme-color';
    document.head.append(meta);
  }
  // A custom property holds `light-dark(…)` as written; a computed colour is resolved.
  meta.content = getComputedStyle(document.body).getPropertyValue('background-color');
}

export function watchTheme(): void {
  paintFrame();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paintFrame);
}
