"use strict";
/* Shows our notices and opens their pages. `COMPANY`, `NEUTRAL` and `KEY` stand before; it reports nothing. */
const base = self.registration.scope;
const text = (field) => (typeof field === "string" ? field : "");
const pageOf = (link) => {
  try {
    const { href, protocol } = new URL(text(link));
    return protocol === "https:" || href.startsWith(base) ? href : base;
  } catch { return base; }
};
const read = (event) => {
  try { return Object(event.data.json()); } catch { return {}; }
};

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

// Browsers want each push to show something.
self.addEventListener("push", (event) => {
  const { title, body, tag, link, silent } = read(event);
  event.waitUntil(self.registration.showNotification(text(title) || COMPANY, {
    body: text(title) ? text(body) : NEUTRAL,
    tag: text(tag),
    icon: new URL("icon.png", base).href,
    data: { link: pageOf(link) },
    silent: silent === true,
    renotify: text(tag) !== "" && silent !== true,
  }));
});

self.addEventListener("notificationclick", (event) => {
  const { link } = event.notification.data;
  event.notification.close();
  event.waitUntil((async () => {
    const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    const page = pages.find(({ url }) => url.split(/[?#]/)[0] === link);
    return page ? page.focus() : self.clients.openWindow(link);
  })());
});

self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil((async () => {
  const { oldSubscription, newSubscription } = event;
  const options = { userVisibleOnly: true, applicationServerKey: KEY };
  const subscription = newSubscription || await self.registration.pushManager.subscribe(options);
  if (!oldSubscription) return; // The page tells the server at the next visit.
  const fields = { ...subscription.toJSON(), vapid_key: KEY, replaces: oldSubscription.endpoint };
  const headers = { "content-type": "application/json" };
  await fetch(new URL("subscription", base), { method: "POST", headers, body: JSON.stringify(fields) });
})()));
