// Files chosen, a folder chosen, or both dropped: all end up in the one field of the form, with the path that each has
// in its folder beside it. Without this file the field takes any number of files.

const form = document.querySelector("form[data-upload]");
const field = form?.querySelector("[data-upload-files]");
const zone = form?.querySelector("[data-drop-zone]");
const list = form?.querySelector("[data-upload-list]");
const MOST_SHOWN = 100;

function take(found) {
  const transfer = new DataTransfer();
  for (const { file } of found) transfer.items.add(file);
  field.files = transfer.files;
  show(found.map(({ path }) => path));
}

function show(paths) {
  form.querySelectorAll('input[name="paths"]').forEach((one) => one.remove());
  for (const path of paths) {
    const hidden = document.createElement("input");
    Object.assign(hidden, { type: "hidden", name: "paths", value: path });
    form.append(hidden);
  }
  list.replaceChildren(
    ...paths.slice(0, MOST_SHOWN).map((path) => {
      const item = document.createElement("li");
      item.textContent = path;
      return item;
    }),
  );
  if (paths.length > MOST_SHOWN) {
    const rest = document.createElement("li");
    rest.textContent = `and ${paths.length - MOST_SHOWN} more`;
    list.append(rest);
  }
}

const fileOf = (entry) => new Promise((done, failed) => entry.file(done, failed));

async function* filesIn(entry) {
  if (entry.isFile) {
    yield { file: await fileOf(entry), path: entry.fullPath.replace(/^\//, "") };
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed)); // at most 100 at a time
    if (!some.length) return;
    for (const one of some) yield* filesIn(one);
  }
}

async function drop(event) {
  event.preventDefault();
  delete zone.dataset.over;
  // What was dropped has to be asked for before the first wait: the list is empty afterwards.
  const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
  const dropped = items.map((item) => ({ entry: item.webkitGetAsEntry?.(), file: item.getAsFile() }));
  const found = [];
  for (const { entry, file } of dropped) {
    if (entry) for await (const one of filesIn(entry)) found.push(one);
    else if (file) found.push({ file, path: file.name });
  }
  if (found.length) take(found);
}

if (form) {
  field.addEventListener("change", () => show([...field.files].map((file) => file.name)));
  form.querySelector("[data-upload-folder]").addEventListener("change", (event) => {
    take([...event.target.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
    event.target.value = "";
  });
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.dataset.over = "";
  });
  zone.addEventListener("dragleave", (event) => {
    if (!zone.contains(event.relatedTarget)) delete zone.dataset.over;
  });
  zone.addEventListener("drop", drop);
}
