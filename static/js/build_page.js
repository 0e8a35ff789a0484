// A build's page while it lives: its log, and the parts that the event stream renews.

import { LogViewer } from "./log_viewer.js";

const RECONNECT_MS = 1500;
const page = document.querySelector("[data-build]");
const box = page?.querySelector(".log-box");
const viewer = box ? new LogViewer(box) : null;

function parse(html) {
  return new DOMParser().parseFromString(html, "text/html");
}

// The server's own fragments, escaped there; each part replaces the one that has its id.
function renew(source, ids) {
  for (const id of ids) {
    const fresh = source.getElementById(id);
    const here = document.getElementById(id);
    if (fresh && here) here.replaceChildren(...document.importNode(fresh, true).childNodes);
  }
}

function live(words, isLive) {
  const state = document.querySelector("[data-live-state]");
  if (!state) return;
  state.textContent = words;
  if (isLive) state.dataset.live = "on";
  else delete state.dataset.live;
}

async function renewAll() {
  const response = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  if (!response.ok) return;
  const fresh = parse(await response.text());
  renew(fresh, ["build-actions", "build-status", "build-phases", "build-artifacts", "build-facts"]);
  document.title = fresh.title;
}

function connect() {
  const from = viewer ? `?from=${viewer.next}` : "";
  const source = new EventSource(page.dataset.events + from);
  source.addEventListener("open", () => {
    live("live", true);
    delete document.documentElement.dataset.live;
  });
  source.addEventListener("log", (event) => {
    const body = JSON.parse(event.data);
    viewer?.append(body.first, body.lines);
  });
  source.addEventListener("status", (event) => renew(parse(event.data), ["build-status", "build-phases"]));
  source.addEventListener("end", () => {
    source.close();
    live("", false);
    viewer?.complete();
    renewAll().catch(() => {});
  });
  source.addEventListener("error", () => {
    live("reconnecting…", false);
    document.documentElement.dataset.live = "lost";
    // The browser comes back by itself, with the last line it has; only a refused stream stays closed.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, RECONNECT_MS * (1 + Math.random()));
  });
}

if (page?.dataset.events) connect();

document.addEventListener("keydown", (event) => {
  if (event.key !== "f" || event.ctrlKey || event.metaKey || event.altKey || !viewer) return;
  if (event.target.closest("input, textarea, select, dialog")) return;
  viewer.follow(!viewer.isFollowing);
});
