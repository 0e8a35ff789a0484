// Lines of a file: a click on a number selects it, Shift and a click a range; the address says #L10-L20. "y" makes the
// address permanent. Without this file a number is still a link to its line.

const table = document.querySelector("table[data-lines]");
const FRAGMENT = /^#L(\d+)(?:-L(\d+))?$/;

function selection() {
  const match = FRAGMENT.exec(location.hash);
  if (!match) return null;
  const [from, to] = [Number(match[1]), Number(match[2] ?? match[1])];
  return from <= to ? [from, to] : [to, from];
}

function show({ scroll }) {
  for (const row of table.querySelectorAll('tr[aria-selected="true"]')) row.removeAttribute("aria-selected");
  const range = selection();
  if (!range) return;
  const first = document.getElementById(`L${range[0]}`);
  for (let row = first, line = range[0]; row && line <= range[1]; row = row.nextElementSibling, line += 1) {
    row.setAttribute("aria-selected", "true");
  }
  if (scroll) first?.scrollIntoView({ block: "center" });
}

function choose(line, extend) {
  const range = extend ? selection() : null;
  const hash = range && range[0] !== line ? `#L${Math.min(range[0], line)}-L${Math.max(range[0], line)}` : `#L${line}`;
  history.replaceState(history.state, "", hash); // no entry for each click, and no jump
  show({ scroll: false });
}

if (table) {
  table.addEventListener("click", (event) => {
    const link = event.target.closest(".line-number a");
    if (!link || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    choose(Number(link.textContent), event.shiftKey);
  });
  table.addEventListener("mousedown", (event) => {
    if (event.shiftKey && event.target.closest(".line-number")) event.preventDefault(); // or text would be selected too
  });
  addEventListener("hashchange", () => show({ scroll: true }));
  show({ scroll: true });
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "y" || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable='true'], dialog")) return;
  const address = document.querySelector("[data-permanent-link]")?.dataset.permanentLink;
  if (address) history.replaceState(history.state, "", address + location.hash);
});
