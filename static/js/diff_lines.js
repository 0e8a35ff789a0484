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

let marked = null; // the address whose line was found
function mark(lines) {
  for (const each of document.querySelectorAll(".diff [data-selected]")) each.removeAttribute("data-selected");
  const table = lines && section(lines.path)?.querySelector("table.diff");
  if (!table) return null;
  let first = null;
  for (const cell of cells(table, lines.letter)) {
    const number = Number(cell.textContent);
    if (!number || number < lines.first || number > lines.last) continue;
    first ??= cell;
    const row = cell.parentElement;
    const wanted = table.dataset.view === "split" ? [cell, cell.nextElementSibling] : row.cells;
    for (const each of wanted) each.dataset.selected = "";
  }
  if (first) marked = location.href;
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

// Whether the button's place was taken by rows, those that it asks for or the file's with colours; then it is gone.
function swapped(link) {
  return new Promise((resolve) => {
    const settled = () => !link.isConnected && end(true);
    const ended = (event) => event.detail.requestConfig?.elt === link && !event.detail.successful && end(false);
    const end = (isSwapped) => {
      document.removeEventListener("htmx:afterSettle", settled);
      document.removeEventListener("htmx:afterRequest", ended);
      resolve(isSwapped);
    };
    document.addEventListener("htmx:afterSettle", settled);
    document.addEventListener("htmx:afterRequest", ended);
    link.click();
  });
}

let isOpening = false;
async function open() {
  const lines = asked();
  let found = mark(lines);
  if (!lines || isOpening) return;
  isOpening = true;
  for (let count = 0; !found && count < MOST_REQUESTS; count += 1) {
    const link = way(lines);
    if (!link || !(await swapped(link))) break;
    found = mark(lines);
  }
  isOpening = false;
  (found ?? section(lines.path))?.scrollIntoView({ block: found ? "center" : "start" });
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
  mark(asked());
}

// The tab key finds one number of each file; the arrow keys go on from it.
function reachable(root) {
  for (const table of root.querySelectorAll?.("table.diff") ?? []) {
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
// A file's rows come again with colours, without the lines that were brought before.
document.addEventListener("htmx:afterSettle", () => {
  const wasMarked = marked === location.href;
  const found = mark(asked());
  reachable(document);
  if (wasMarked && !found) open();
});
addEventListener("hashchange", open);
addEventListener("load", open); // by then htmx knows the buttons
reachable(document);
