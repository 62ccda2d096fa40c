"use strict";
(() => {
  const box = document.querySelector("aside.device");
  if (!box) return;
  const { address, token, key, slot, holder, root, shows } = box.dataset;
  const [start, stop] = box.querySelectorAll("button"), news = box.querySelector("[role=status]");
  const mark = `countersign/device/${slot}`, everywhere = "countersign/endpoint", patience = 10000, day = 864e5;
  const say = (name) => { news.textContent = name ? news.dataset[name] : ""; };
  const show = (on, words) => {
    const moves = box.contains(document.activeElement);
    box.hidden = false;
    start.hidden = on;
    stop.hidden = !on;
    for (const sentence of document.querySelectorAll("[data-while=off]")) sentence.hidden = on;
    if (moves) (on ? stop : start).focus();
    say(words);
  };
  const answered = (promise) => Promise.race([promise, new Promise((_, refuse) => {
    setTimeout(() => refuse(new DOMException("no answer", "TimeoutError")), patience);
  })]);
  const encoded = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const post = (path, fields) => answered(fetch(path, {
    method: "POST", mode: "same-origin", redirect: "error",
    headers: { "content-type": "application/json" }, body: JSON.stringify(fields),
  }));
  // A subscription with the key of now: one with an earlier key is given up.
  const subscribe = async () => {
    await navigator.serviceWorker.register(`${root}/sw.js`, { scope: `${root}/` });
    const { pushManager } = await navigator.serviceWorker.ready;
    const former = await pushManager.getSubscription();
    if (former && encoded(former.options.applicationServerKey) === key) return former;
    await former?.unsubscribe();
    return pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  };
  const keep = (subscription) => {
    localStorage.setItem(mark, holder);
    localStorage.setItem(everywhere, JSON.stringify({ endpoint: subscription.endpoint, at: Date.now() }));
  };
  const fieldsOf = (subscription) => ({ ...subscription.toJSON(), vapid_key: key });

  // Once a day, and whenever it is another one by now; the server says whether this page's notices still come here.
  const renew = async () => {
    const subscription = await answered(subscribe());
    const { endpoint, at } = JSON.parse(localStorage.getItem(everywhere));
    if (shows !== "always" && subscription.endpoint === endpoint && Date.now() - at < day) return true;
    const answer = await post(`${address}/renew`, { ...fieldsOf(subscription), token, replaces: endpoint });
    if (answer.ok) keep(subscription);
    return answer.status !== 404;
  };
  const press = (button, work) => button.addEventListener("click", async () => {
    if (button.ariaDisabled === "true") return;
    button.ariaDisabled = "true";
    say("");
    try { await work(); } catch (error) { say(error.name === "TimeoutError" ? "slow" : "failed"); }
    button.ariaDisabled = null;
  });
  press(start, async () => {
    const permission = await Notification.requestPermission();
    if (permission !== "granted") return say(permission === "denied" ? "blocked" : "");
    const subscription = await answered(subscribe());
    const answer = await post(`${address}/subscribe`, { ...fieldsOf(subscription), token });
    if (!answer.ok) return say("failed");
    keep(subscription);
    show(true, "on");
  });
  press(stop, async () => {
    const { endpoint } = JSON.parse(localStorage.getItem(everywhere));
    const answer = await post(`${address}/unsubscribe`, { endpoint, token });
    if (!answer.ok) return say("failed");
    localStorage.removeItem(mark);
    show(false, "off");
  });

  const begin = async () => {
    const installed = matchMedia("(display-mode: standalone)").matches;
    const visited = shows === "always" || installed || localStorage.getItem("countersign/visited");
    localStorage.setItem("countersign/visited", "1");
    if (!visited) return;
    const phone = /iPhone|iPad|iPod/.test(navigator.userAgent) || (navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1);
    if (navigator.serviceWorker && window.PushManager && window.Notification) {
      if (Notification.permission === "denied" && shows !== "always") return;
      const on = localStorage.getItem(mark) === holder && Notification.permission === "granted" && await renew().catch(() => true);
      if (!on || shows !== "until-on") show(Boolean(on), on ? "on" : "");
    } else if (phone && !installed) {
      show(false, "iphone");
      start.hidden = true;
    }
  };
  begin().catch(() => {}); // Without storage, nothing is offered.
})();
