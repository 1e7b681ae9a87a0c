// Keeps the shell of the owner's app, so that it opens without a network and shows what was last known.
// The API is never cached here: what the app knew is kept, and cleared, by the app itself.
const CACHE = 'otaru-VERSION';
const SHELL = ['SHELL'];
const PAGES = /^\/(setup|sign-in|sign-up|reset|invitation|claim|account|devices\/.*)?$/;

self.addEventListener('install', (event) => {
  const requests = SHELL.map((path) => new Request(path, { cache: 'no-cache' }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  const drop = (names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name)));
  event.waitUntil(caches.keys().then(drop).then(() => self.clients.claim()));
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || origin !== self.location.origin) return;
  if (request.mode === 'navigate') {
    if (PAGES.test(pathname)) event.respondWith(page(request));
  } else if (SHELL.includes(pathname)) {
    event.respondWith(caches.match(pathname).then((kept) => kept ?? fetch(request)));
  }
});

// The server's page first: it names the newest files. A server that is starting counts as none.
async function page(request) {
  const answer = await fetch(request).catch(() => undefined);
  if (answer?.ok || answer?.type === 'opaqueredirect') return answer;
  return (await caches.match('/')) ?? answer ?? Response.error();
}
