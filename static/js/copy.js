// Copy buttons: data-copy holds the text, or data-copy-from the id of the element that does.

const SHOWN_MS = 1600;

async function write(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea"); // a plain-HTTP host name has no clipboard API
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("the browser refused");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  event.preventDefault();
  const text = button.dataset.copy ?? document.getElementById(button.dataset.copyFrom)?.textContent ?? "";
  const name = (button.dataset.name ??= button.getAttribute("aria-label") ?? "Copy");
  let outcome = "done";
  try {
    await write(text);
  } catch {
    outcome = "failed";
  }
  button.dataset.copied = outcome;
  button.setAttribute("aria-label", outcome === "done" ? "Copied" : "Could not copy");
  clearTimeout(button.copyTimer);
  button.copyTimer = setTimeout(() => {
    delete button.dataset.copied;
    button.setAttribute("aria-label", name);
  }, SHOWN_MS);
});
