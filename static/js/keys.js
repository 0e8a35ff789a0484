// Keyboard: "/" searches, "?" shows the keys, "g" and a letter goes somewhere, "j" and "k" move through a list's rows.

const PLACES = { d: "/", r: "/repositories/", p: "/projects/", b: "/builds/", u: "/iam/users/", a: "/audit/" };
const CHORD_MS = 1200;
let chordUntil = 0;

const isTyping = (element) => element.closest("input, textarea, select, [contenteditable='true'], dialog") !== null;
const rows = () => [...document.querySelectorAll("main tbody tr, main [data-row]")].filter((row) => row.querySelector("a[href]"));

function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.contains(document.activeElement));
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))];
  (next.querySelector("[data-row-link]") ?? next.querySelector("a[href]")).focus();
  next.scrollIntoView({ block: "nearest" });
}

function showKeys() {
  const dialog = document.getElementById("keys");
  if (dialog && !dialog.open) dialog.showModal();
}

function searchBox() {
  return document.querySelector("[data-search-key]") ?? document.getElementById("quick-search");
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && event.target.id === "quick-search") {
    document.getElementById("quick-results")?.replaceChildren();
    event.target.blur();
    return;
  }
  if (isTyping(event.target)) return;
  if (performance.now() < chordUntil) {
    chordUntil = 0;
    const link = Object.hasOwn(PLACES, event.key) && document.querySelector(`.rail a[href="${PLACES[event.key]}"]`);
    if (link) {
      event.preventDefault();
      link.click();
    }
    return;
  }
  if (event.key === "/" && searchBox()) {
    event.preventDefault();
    searchBox().focus();
    searchBox().select();
  } else if (event.key === "?") {
    event.preventDefault();
    showKeys();
  } else if (event.key === "g") {
    chordUntil = performance.now() + CHORD_MS;
  } else if (event.key === "j" || event.key === "k") {
    event.preventDefault();
    move(event.key === "j" ? 1 : -1);
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-show-keys]")) showKeys();
  const results = document.getElementById("quick-results");
  if (results?.childElementCount && !event.target.closest(".quick-search")) results.replaceChildren();
});
