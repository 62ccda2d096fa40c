// Fetches the lists of the inbox once a second and puts them in place when they changed.
"use strict";

const PAUSE_MS = 1000;
const screen_ = document.getElementById("screen");
const news = document.getElementById("news");
let shown = null;

function cards() {
  return screen_.querySelectorAll(".card").length;
}

function show(html) {
  const before = cards();
  const focused = document.activeElement?.id;
  screen_.innerHTML = html;
  if (focused) document.getElementById(focused)?.focus();
  const more = cards() - before;
  if (more > 0) news.textContent = more === 1 ? "One new message" : `${more} new messages`;
}

async function look() {
  if (!document.hidden) {
    try {
      const answer = await fetch(screen_.dataset.source, { cache: "no-store" });
      const html = answer.ok ? await answer.text() : shown;
      // The first look too: something may have arrived since the page was made.
      if (html !== shown) show(html);
      shown = html;
    } catch {
      // The sandbox is away for a moment; the next look tells.
    }
  }
  setTimeout(look, PAUSE_MS);
}

document.getElementById("refresh").hidden = true;
look();
