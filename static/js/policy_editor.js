// The JSON editor of policies: line numbers beside a textarea, Tab and indentation, marks on the lines that the server
// finds fault with, and texts to start from. Without this file the textarea is a plain one.

const INDENT = "  ";

// execCommand keeps the browser's own undo working, which setting the value would throw away.
function insert(area, text) {
  if (document.execCommand("insertText", false, text)) return;
  area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
  area.dispatchEvent(new Event("input", { bubbles: true }));
}

const lineStart = (area, offset) => area.value.lastIndexOf("\n", offset - 1) + 1;

function indentSelection(area, outwards) {
  const from = lineStart(area, area.selectionStart);
  const to = area.selectionEnd;
  const changed = area.value
    .slice(from, to)
    .split("\n")
    .map((line) => (outwards ? line.replace(/^ {1,2}/, "") : INDENT + line))
    .join("\n");
  area.setSelectionRange(from, to);
  insert(area, changed);
  area.setSelectionRange(from, from + changed.length);
}

function onTab(area, event) {
  if (area.dataset.leaving) return; // Escape was pressed: Tab moves on, as everywhere
  event.preventDefault();
  const isBlock = area.value.slice(area.selectionStart, area.selectionEnd).includes("\n");
  if (isBlock || event.shiftKey) indentSelection(area, event.shiftKey);
  else insert(area, INDENT);
}

function onEnter(area, event) {
  event.preventDefault();
  const start = area.selectionStart;
  const [blanks] = /^[ \t]*/.exec(area.value.slice(lineStart(area, start), start));
  const before = area.value[start - 1];
  const after = area.value[area.selectionEnd];
  const opens = before === "{" || before === "[";
  insert(area, `\n${blanks}${opens ? INDENT : ""}`);
  if (opens && (after === "}" || after === "]")) {
    const caret = area.selectionStart;
    insert(area, `\n${blanks}`);
    area.setSelectionRange(caret, caret);
  }
}

function goTo(area, line, column) {
  const lines = area.value.split("\n");
  const offset = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0) + column - 1;
  area.focus();
  area.setSelectionRange(offset, offset);
  area.scrollTop = Math.max(0, (line - 4) * (area.scrollHeight / lines.length));
}

function edit(area) {
  const box = area.closest("[data-policy-editor-box]");
  const gutter = box.querySelector(".editor-lines");
  const check = box.querySelector(".editor-check");

  function number() {
    const count = area.value.split("\n").length;
    while (gutter.childElementCount > count) gutter.lastElementChild.remove();
    while (gutter.childElementCount < count) {
      const line = document.createElement("span");
      line.textContent = gutter.childElementCount + 1;
      gutter.append(line);
    }
  }

  function mark() {
    for (const line of gutter.querySelectorAll("[data-faulty]")) line.removeAttribute("data-faulty");
    for (const fault of check.querySelectorAll("[data-line]")) {
      gutter.children[fault.dataset.line - 1]?.setAttribute("data-faulty", "");
    }
    area.setAttribute("aria-invalid", check.querySelector(".editor-faults") ? "true" : "false");
  }

  area.addEventListener("input", number);
  area.addEventListener("scroll", () => (gutter.scrollTop = area.scrollTop));
  area.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") area.dataset.leaving = "yes";
    else if (event.key === "Tab") onTab(area, event);
    else if (event.key === "Enter") onEnter(area, event);
    if (!["Escape", "Tab", "Shift"].includes(event.key)) delete area.dataset.leaving;
  });
  area.addEventListener("blur", () => delete area.dataset.leaving);
  check.addEventListener("htmx:afterSwap", mark);
  check.addEventListener("click", (event) => {
    const fault = event.target.closest("[data-line]");
    if (fault) goTo(area, Number(fault.dataset.line), Number(fault.dataset.column));
  });
  box.addEventListener("click", (event) => {
    const start = event.target.closest("[data-start]");
    if (!start) return;
    event.preventDefault();
    area.focus();
    area.select();
    insert(area, document.getElementById(start.dataset.start).content.textContent);
    start.closest("details").open = false;
    goTo(area, 1, 1);
  });
  box.dataset.ready = "";
  number();
  mark();
}

document.querySelectorAll("textarea[data-policy-editor]").forEach(edit);
