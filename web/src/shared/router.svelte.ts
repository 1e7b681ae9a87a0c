// Which page is shown: the address is the only place that knows.

let path = $state(location.pathname);
let hash = $state(location.hash.slice(1));

export const currentPath = (): string => path;

/** What stands behind `#`: the one-time codes of links and QR codes. The browser never sends it to a server. */
export function currentCode(): string {
  try {
    return decodeURIComponent(hash);
  } catch {
    // A half-copied escape: what is there is shown as it is.
    return hash;
  }
}

export function go(to: string, { replace = false } = {}): void {
  if (replace) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  read();
  scrollTo(0, 0);
}

function read(): void {
  path = location.pathname;
  hash = location.hash.slice(1);
}

/** Makes links within `under` change the page without loading it anew. */
export function startRouter(under: (path: string) => boolean): void {
  addEventListener('popstate', read);
  addEventListener('hashchange', read);
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element).closest('a');
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (!under(link.pathname)) return;
    event.preventDefault();
    go(link.pathname + link.hash);
  });
}
