// Lines of a file: a click on a number selects it, Shift and a click a range; the address says #L10-L20. On a number the
// arrow keys do the same. "y" makes the address permanent. Without this file a number is still a link to its line.

const table = document.querySelector("table[data-lines]");
const FRAGMENT = /^#L(\d+)(?:-L(\d+))?$/;
const link = (line) => document.querySelector(`#L${line} > th > a`);

function selection() {
  const match = FRAGMENT.exec(location.hash);
  if (!match) return null;
  return [Number(match[1]), Number(match[2] ?? match[1])];
}

function show({ scroll }) {
  for (const row of table.querySelectorAll('tr[aria-selected="true"]')) row.removeAttribute("aria-selected");
  const range = selection();
  if (!range) return;
  const [first, last] = [Math.min(...range), Math.max(...range)];
  for (let row = document.getElementById(`L${first}`), line = first; row && line <= last; row = row.nextElementSibling, line += 1) {
    row.setAttribute("aria-selected", "true");
  }
  stop(link(range[0]));
  if (scroll) document.getElementById(`L${first}`)?.scrollIntoView({ block: "center" });
}

// A range is told from where it began, so that it can be made longer and shorter at its other end.
function choose(line, extend, focused = line) {
  const from = extend ? (selection()?.[0] ?? focused) : line;
  history.replaceState(history.state, "", from === line ? `#L${line}` : `#L${from}-L${line}`); // no entry a click, no jump
  show({ scroll: false });
}

// Of thousands of links the tab key should find one.
let current = null;
function stop(next) {
  if (!next) return;
  if (current) current.tabIndex = -1;
  current = next;
  current.tabIndex = 0;
}

function begin() {
  for (const each of table.querySelectorAll("th > a")) each.tabIndex = -1;
  current = null;
  stop(table.querySelector("th > a"));
  show({ scroll: false });
}

if (table) {
  table.addEventListener("click", (event) => {
    const clicked = event.target.closest("th > a");
    if (!clicked || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    choose(Number(clicked.textContent), event.shiftKey);
  });
  table.addEventListener("mousedown", (event) => {
    if (event.shiftKey && event.target.closest("tbody th")) event.preventDefault(); // or text would be selected too
  });
  table.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const at = event.target.closest("th > a");
    if (!step || !at || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const focused = Number(at.textContent);
    const line = focused + step;
    if (!link(line)) return;
    choose(line, event.shiftKey, focused);
    stop(link(line));
    current.focus();
    current.scrollIntoView({ block: "nearest" });
  });
  // The same lines come again with colours: who was on a number stays there.
  let focused = null;
  table.addEventListener("htmx:beforeSwap", () => {
    focused = table.contains(document.activeElement) ? document.activeElement.closest("tr")?.id : null;
  });
  table.addEventListener("htmx:afterSwap", () => {
    begin();
    if (focused) document.querySelector(`#${focused} > th > a`)?.focus({ preventScroll: true });
  });
  addEventListener("hashchange", () => show({ scroll: true }));
  begin();
  show({ scroll: true });
} else if (selection() && !document.getElementById(location.hash.slice(1))) {
  // Lines of a file that is drawn, as a table or as Markdown, are in its source.
  const source = document.querySelector('.views a[href$="?source"]');
  if (source) location.replace(source.href + location.hash);
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "y" || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable='true'], dialog")) return;
  const address = document.querySelector("[data-permanent-link]")?.dataset.permanentLink;
  if (address) history.replaceState(history.state, "", address + location.search + location.hash);
});
