// Keeps the shell of the review screen for times without a connection: the page itself, its styles and scripts. Pairs,
// ratings and every other answer of the API go past it, untouched and never stored.

const SHELL = "review-shell";
const FILES = [{% for file in shell %}"{{ file|escapejs }}"{% if not forloop.last %}, {% endif %}{% endfor %}];
const STATIC = "{{ static|escapejs }}";
const SCREEN = /^\/review\/[0-9a-f-]{36}\/$/;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(SHELL).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname, search } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (pathname.startsWith(STATIC)) event.respondWith(fresh(request));
  else if (request.mode === "navigate" && SCREEN.test(pathname) && !search) event.respondWith(fresh(request));
});

// From the network, and from the shell only where there is none. A page that refuses its visitor is not kept, and
// neither is what was kept for whoever was here before.
async function fresh(request) {
  const cache = await caches.open(SHELL);
  try {
    const response = await fetch(request);
    if (response.ok && !response.redirected) await cache.put(request, response.clone());
    else await cache.delete(request);
    return response;
  } catch (error) {
    const kept = await cache.match(request, { ignoreVary: true });
    if (kept) return kept;
    throw error;
  }
}
