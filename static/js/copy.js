// Copy buttons: data-copy holds the text, data-copy-from the id of the element that does, data-copy-url where it is.

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

async function fetched(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`the server answered with ${answer.status}`);
  const charset = /charset=([\w-]+)/.exec(answer.headers.get("Content-Type") ?? "")?.[1] ?? "utf-8";
  return new TextDecoder(charset).decode(await answer.arrayBuffer());
}

const textOf = ({ dataset }) =>
  dataset.copyUrl ? fetched(dataset.copyUrl) : (dataset.copy ?? document.getElementById(dataset.copyFrom)?.textContent ?? "");

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from], [data-copy-url]");
  if (!button) return;
  event.preventDefault();
  const name = (button.dataset.name ??= button.getAttribute("aria-label") ?? "Copy");
  let outcome = "done";
  try {
    await write(await textOf(button));
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
