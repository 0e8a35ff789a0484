// The editor of a file: Tab indents as the file does, Enter keeps the indentation, Escape gives Tab back to the page,
// and leaving with unsaved text asks first. Without this file the text area is a plain one.

// execCommand keeps the browser's own undo working, which setting the value would throw away.
function insert(area, text) {
  if (document.execCommand("insertText", false, text)) return;
  area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
  area.dispatchEvent(new Event("input", { bubbles: true }));
}

const lineStart = (area, offset) => area.value.lastIndexOf("\n", offset - 1) + 1;

// A tab where the file has them; else as many blanks as its first indented line.
function indentOf(text) {
  const [, blanks] = /^(\t| {1,8})\S/m.exec(text) ?? [];
  return blanks ?? "    ";
}

function indentLines(area, unit, outwards) {
  const from = lineStart(area, area.selectionStart);
  const outward = new RegExp(`^(?:\t| {1,${unit === "\t" ? 8 : unit.length}})`);
  const changed = area.value
    .slice(from, area.selectionEnd)
    .split("\n")
    .map((line) => (outwards ? line.replace(outward, "") : line && unit + line))
    .join("\n");
  area.setSelectionRange(from, area.selectionEnd);
  insert(area, changed);
  area.setSelectionRange(from, from + changed.length);
}

function edit(area) {
  let leaving = false;
  let sent = false;
  const began = area.value;

  area.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      leaving = true;
    } else if (event.key === "Tab" && !leaving) {
      event.preventDefault();
      const unit = indentOf(area.value);
      const isBlock = area.value.slice(area.selectionStart, area.selectionEnd).includes("\n");
      if (isBlock || event.shiftKey) indentLines(area, unit, event.shiftKey);
      else insert(area, unit);
    } else if (event.key === "Enter" && !event.shiftKey) {
      const start = area.selectionStart;
      const [blanks] = /^[ \t]*/.exec(area.value.slice(lineStart(area, start), start));
      if (blanks) {
        event.preventDefault();
        insert(area, `\n${blanks}`);
      }
    } else if (!["Tab", "Shift"].includes(event.key)) {
      leaving = false;
    }
  });
  area.addEventListener("blur", () => { leaving = false; });
  area.form.addEventListener("submit", () => { sent = true; });
  window.addEventListener("beforeunload", (event) => {
    if (!sent && area.value !== began) event.preventDefault();
  });
}

document.querySelectorAll("textarea[data-code-editor]").forEach(edit);
