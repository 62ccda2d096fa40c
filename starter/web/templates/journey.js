"use strict";
(() => {
  const every = 5000, news = document.getElementById("news");
  let asking = false;
  const look = async () => {
    const main = document.querySelector("main");
    if (!main.dataset.version) return clearInterval(timer);
    if (asking || document.hidden) return;
    asking = true;
    try {
      const answer = await fetch(`?since=${main.dataset.version}`, { cache: "no-store", redirect: "error" });
      if (answer.status !== 200) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = page.querySelector("main");
      if (!next) return;
      const here = document.activeElement?.getAttribute("href");
      main.replaceWith(document.adoptNode(next));
      document.title = page.title;
      news.textContent = next.querySelector("h1").textContent;
      if (here) [...next.querySelectorAll("a")].find((link) => link.getAttribute("href") === here)?.focus();
    } catch { /* The next look may be answered. */ } finally { asking = false; }
  };
  const timer = setInterval(look, every);
  document.addEventListener("visibilitychange", look);
})();
