// The file finder: "t" opens it, and on its page all paths of the commit are looked through at every key. Without this
// file the form asks the server, which ranks in the same way (repos/git/path_list.py).

const WORD_START = new Set(["/", "_", "-", ".", " "]);

document.addEventListener("keydown", (event) => {
  if (event.key !== "t" || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable='true'], dialog")) return;
  const link = document.querySelector("a[data-find-files]");
  if (!link) return;
  event.preventDefault();
  location.assign(link.href);
});

// ---- Ranking -------------------------------------------------------------------------------------------------------

// How well a path matches, less being better; -1 where it does not hold the characters in their order.
function rank(path, wanted) {
  const nameAt = path.lastIndexOf("/") + 1;
  const at = path.indexOf(wanted, nameAt);
  if (at === nameAt) {
    if (path.length - nameAt === wanted.length) return 0;
    return path.lastIndexOf(".") === at + wanted.length ? 1 : 2;
  }
  if (at > nameAt) return WORD_START.has(path[at - 1]) ? 3 : 4;
  if (path.includes(wanted)) return 5;
  if (isScattered(path, wanted, nameAt)) return 6;
  return isScattered(path, wanted, 0) ? 7 : -1;
}

function isScattered(path, wanted, from) {
  let at = from;
  for (let index = 0; index < wanted.length; index += 1) {
    at = path.indexOf(wanted[index], at) + 1;
    if (at === 0) return false;
  }
  return true;
}

// Which characters of a path to mark, as [from, to) pairs.
function marks(path, wanted) {
  const nameAt = path.lastIndexOf("/") + 1;
  let at = path.indexOf(wanted, nameAt);
  if (at < 0) at = path.indexOf(wanted);
  if (at >= 0) return [[at, at + wanted.length]];
  const found = [];
  at = isScattered(path, wanted, nameAt) ? nameAt : 0;
  for (const character of wanted) {
    at = path.indexOf(character, at);
    if (found.length && found.at(-1)[1] === at) found.at(-1)[1] = at + 1;
    else found.push([at, at + 1]);
    at += 1;
  }
  return found;
}

// ---- The page ------------------------------------------------------------------------------------------------------

class Finder {
  constructor(form) {
    this.form = form;
    this.input = form.querySelector("input");
    this.list = document.getElementById("find-results");
    this.status = document.getElementById("find-status");
    this.limit = Number(form.dataset.limit);
    this.selected = -1;
    this.before = null; // the last query and what matched it: a longer one matches nothing else
    this.input.setAttribute("role", "combobox");
    this.input.setAttribute("aria-autocomplete", "list");
    this.input.setAttribute("aria-controls", this.list.id);
    this.input.setAttribute("aria-expanded", "false");
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", "Files");
    form.querySelector("button").hidden = true;
    form.addEventListener("submit", (event) => {
      if (!this.lower) return; // the list is not here: the server looks through it
      event.preventDefault();
      this.open();
    });
    this.input.addEventListener("input", () => this.show());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.load();
  }

  async load() {
    try {
      const answer = await fetch(this.form.dataset.paths);
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      const text = await answer.text();
      this.lines = text ? text.split("\n") : [];
    } catch {
      this.status.textContent = "The list of files did not come. Press Enter to ask the server.";
      this.form.querySelector("button").hidden = false;
      return;
    }
    this.shown = this.lines.map((line) => line.slice(line.indexOf("\t") + 1));
    this.lower = this.shown.map((path) => path.toLowerCase());
    this.status.textContent = `${this.lines.length.toLocaleString("en")} files. Type a part of a path.`;
    this.show();
  }

  // The indexes of the best paths, and how many match.
  find(wanted) {
    const narrows = this.before && wanted.startsWith(this.before.wanted);
    const candidates = narrows ? this.before.matches : null;
    const count = candidates ? candidates.length : this.lower.length;
    const matches = [];
    const byRank = Array.from({ length: 8 }, () => []);
    for (let position = 0; position < count; position += 1) {
      const index = candidates ? candidates[position] : position;
      const found = rank(this.lower[index], wanted);
      if (found < 0) continue;
      matches.push(index);
      byRank[found].push(index);
    }
    this.before = { wanted, matches };
    const best = [];
    for (const indexes of byRank) {
      if (best.length >= this.limit) break;
      best.push(...this.shortest(indexes, this.limit - best.length));
    }
    return { best, count: matches.length };
  }

  shortest(indexes, limit) {
    if (indexes.length > limit * 20) {
      // Only those that can be among the first need to be put in order: their greatest length is counted out.
      const lengths = new Uint32Array(4097);
      for (const index of indexes) lengths[Math.min(this.lower[index].length, 4096)] += 1;
      let most = 0;
      for (let sum = 0; most < 4096 && sum + lengths[most] < limit; most += 1) sum += lengths[most];
      indexes = indexes.filter((index) => Math.min(this.lower[index].length, 4096) <= most);
    }
    const order = (a, b) => this.lower[a].length - this.lower[b].length || a - b;
    return indexes.sort(order).slice(0, limit);
  }

  show() {
    if (!this.lower) return;
    const wanted = this.input.value.toLowerCase().replace(/\s+/g, "");
    if (!wanted) {
      this.before = null;
      this.list.replaceChildren();
      this.select(-1);
      this.status.textContent = `${this.lines.length.toLocaleString("en")} files. Type a part of a path.`;
      return;
    }
    const { best, count } = this.find(wanted);
    this.list.replaceChildren(...best.map((index, position) => this.row(index, position, wanted)));
    const words = count === 1 ? "1 file" : `${count.toLocaleString("en")} files`;
    this.status.textContent = count > best.length ? `${words}, the best ${best.length} shown.` : count ? `${words}.` : "No path holds this, not even scattered.";
    this.select(best.length ? 0 : -1);
  }

  row(index, position, wanted) {
    const item = document.createElement("li");
    item.id = `find-${position}`;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", "false");
    const link = document.createElement("a");
    link.href = this.address(index);
    link.tabIndex = -1;
    const path = this.shown[index];
    let done = 0;
    for (const [from, to] of marks(this.lower[index], wanted)) {
      const mark = document.createElement("mark");
      mark.textContent = path.slice(from, to);
      link.append(path.slice(done, from), mark);
      done = to;
    }
    link.append(path.slice(done));
    item.append(link);
    return item;
  }

  address(index) {
    const line = this.lines[index];
    const tab = line.indexOf("\t");
    const path = tab >= 0 ? line.slice(0, tab) : line.split("/").map(encodeURIComponent).join("/");
    return `${this.form.dataset.browse}/${path}`;
  }

  select(position) {
    this.list.children[this.selected]?.setAttribute("aria-selected", "false");
    this.selected = position;
    const item = this.list.children[position];
    this.input.setAttribute("aria-expanded", String(this.list.childElementCount > 0));
    if (!item) {
      this.input.removeAttribute("aria-activedescendant");
      return;
    }
    item.setAttribute("aria-selected", "true");
    this.input.setAttribute("aria-activedescendant", item.id);
    item.scrollIntoView({ block: "nearest" });
  }

  key(event) {
    const last = this.list.childElementCount - 1;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (last < 0) return;
      const next = this.selected + (event.key === "ArrowDown" ? 1 : -1);
      this.select(next < 0 ? last : next > last ? 0 : next);
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (this.input.value) {
        this.input.value = "";
        this.show();
      } else {
        location.assign(this.form.dataset.browse);
      }
    }
  }

  open() {
    this.list.children[this.selected]?.querySelector("a").click();
  }
}

const form = document.querySelector("form[data-file-finder]");
if (form) new Finder(form);
