// Lines of a difference: a click on a number, or Enter, makes the address that of the line: ?path=app.py#R120, or
// #L10-L20 for a range that Shift ends ("L" counts the old side's lines, "R" the new one's). Opening such an address
// brings what is not shown yet, rows and lines between hunks, until the line is there. "y" makes a comparison's
// address permanent.

const FRAGMENT = /^#([LR])(\d+)(?:-[LR]?(\d+))?$/;
const NUMBER = "table.diff tr:not([data-kind='hunk'], .more) > th:not(:empty)";
const MOST_REQUESTS = 200; // 300,000 rows

// The side that a number counts on: the first cell of a row is the old side's.
const side = (cell) => (cell.cellIndex === 0 ? "L" : "R");
const column = (table, letter) => (letter === "L" ? 0 : table.dataset.view === "split" ? 2 : 1);

function cells(table, letter) {
  const at = column(table, letter);
  return Array.from(table.querySelectorAll("tbody > tr:not([data-kind='hunk'], .more)"), (row) => row.cells[at]);
}

function asked() {
  const match = FRAGMENT.exec(location.hash);
  const path = new URLSearchParams(location.search).get("path");
  if (!match || path === null) return null;
  const ends = [Number(match[2]), Number(match[3] ?? match[2])];
  return { path, letter: match[1], from: ends[0], first: Math.min(...ends), last: Math.max(...ends) };
}

const section = (path) => document.querySelector(`.diff-file[data-path="${CSS.escape(path)}"]`);

// Shows the lines as chosen, and no others; gives the first of them, or null where none is on the page.
function mark(lines) {
  for (const each of document.querySelectorAll(".diff [data-selected]")) each.removeAttribute("data-selected");
  const table = lines && section(lines.path)?.querySelector("table.diff");
  if (!table) return null;
  let first = null;
  for (const cell of cells(table, lines.letter)) {
    const number = Number(cell.textContent);
    if (!number || number < lines.first || number > lines.last) continue;
    first ??= cell;
    const chosen = table.dataset.view === "split" ? [cell, cell.nextElementSibling] : cell.parentElement.cells;
    for (const each of chosen) each.dataset.selected = "";
  }
  return first;
}

// The button that brings a line: of the gap that it lies in, or of the rows after those that are here.
function way(lines) {
  const file = section(lines.path);
  for (const link of file?.querySelectorAll(".gap > a:last-of-type") ?? []) {
    const numbers = new URL(link.getAttribute("hx-get"), location.href).searchParams.get("gap").split(",");
    const start = Number(numbers[lines.letter === "L" ? 0 : 1]);
    const count = numbers[2] === "" ? Infinity : Number(numbers[2]);
    if (lines.first >= start && lines.first < start + count) return link;
  }
  return file?.querySelector("tr.more a") ?? null;
}

// Puts what a button brings in the place of its row. Not by a click: htmx may not know the button yet. False where the
// server refuses; where the row went meanwhile, since the file's colours came, there is another button like it.
async function bring(link) {
  const answer = await fetch(link.getAttribute("hx-get"), { headers: { "HX-Request": "true" } }).catch(() => null);
  if (!answer?.ok) return false;
  const holder = document.createElement("template");
  holder.innerHTML = await answer.text();
  if (!link.isConnected) return true;
  const rows = Array.from(holder.content.children);
  link.closest("tr").replaceWith(...rows);
  for (const row of rows) if (row.matches(".more, [data-kind='hunk']")) window.htmx?.process(row);
  return true;
}

let isOpening = false;
let isFound = false; // the lines of the address are on the page
async function open() {
  if (isOpening) return;
  isOpening = true;
  let found = mark(asked());
  for (let count = 0; !found && asked() && count < MOST_REQUESTS; count += 1) {
    const link = way(asked());
    if (!link || !(await bring(link))) break;
    found = mark(asked());
  }
  isOpening = false;
  isFound = Boolean(found);
  if (asked()) (found ?? section(asked().path))?.scrollIntoView({ block: found ? "center" : "start" });
}

function choose(cell, extend) {
  const path = cell.closest(".diff-file").dataset.path;
  const number = Number(cell.textContent);
  const before = asked();
  const from = extend && before?.path === path && before.letter === side(cell) ? before.from : number;
  const address = new URL(location.href);
  for (const name of ["file", "page", "find", "context", "long", "from"]) address.searchParams.delete(name);
  address.searchParams.set("path", path);
  address.hash = from === number ? `${side(cell)}${number}` : `${side(cell)}${from}-${side(cell)}${number}`;
  history.replaceState(history.state, "", address); // no entry a click, no jump
  isFound = Boolean(mark(asked()));
}

// The tab key finds one number of each file; the arrow keys go on from it.
function reachable() {
  for (const table of document.querySelectorAll("table.diff")) {
    const first = table.querySelector(NUMBER);
    if (first && !table.querySelector("th[tabindex]")) first.tabIndex = 0;
  }
}

function next(cell, step) {
  const all = cells(cell.closest("table"), side(cell)).filter((one) => one?.textContent);
  return all[all.indexOf(cell) + step];
}

document.addEventListener("click", (event) => {
  const cell = event.target.closest(NUMBER);
  if (cell) choose(cell, event.shiftKey);
});
document.addEventListener("mousedown", (event) => {
  if (event.shiftKey && event.target.closest(NUMBER)) event.preventDefault(); // or text would be selected too
});
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const cell = event.target.closest?.(NUMBER);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (cell && event.key === "Enter") {
    event.preventDefault();
    choose(cell, event.shiftKey);
  } else if (cell && step) {
    event.preventDefault();
    const there = next(cell, step);
    if (!there) return;
    cell.removeAttribute("tabindex");
    there.tabIndex = 0;
    there.focus();
    there.scrollIntoView({ block: "nearest" });
  } else if (event.key === "y" && !event.target.closest("input, textarea, select, dialog")) {
    const address = document.querySelector("[data-permanent-link]")?.dataset.permanentLink;
    if (address) history.replaceState(history.state, "", address + location.search + location.hash);
  }
});
// Rows come at any time and in any order: more files, more lines, and a file's rows again with colours, without those
// that were brought before.
function arrived() {
  reachable();
  if (isOpening) return;
  const wasFound = isFound;
  isFound = Boolean(mark(asked()));
  if (wasFound && !isFound) open();
}

const files = document.getElementById("diff-files");
if (files) {
  new MutationObserver(arrived).observe(files, { childList: true, subtree: true });
  addEventListener("hashchange", open);
  reachable();
  open();
}
