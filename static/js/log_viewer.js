// A build's page while it lives: the log as a window over all its lines, and the parts that the event stream renews.
//
// Only the rows in view are in the page, as one block with room above and below it that stands for all other lines. Rows
// are as high as their text; the room is so many times a line's height, or less where that came to more than a page may
// have. Lines come from the stream as they are written and, for what is far from the end, in pages by number; a bounded
// number of pages is kept. Text reaches the page through textContent alone.
// builds/logs/ansi.py does for the server's rows what `spans` does here.

const PAGE = 500; // lines a request
const MAX_PAGES = 60;
const OVERSCAN = 20; // rows drawn above and below the view
const MAX_HEIGHT = 8_000_000; // browsers stop drawing somewhere above 16 million pixels
const NARROW = "(max-width: 720px)";
const FETCH_DELAY_MS = 60;
const RETRY_MS = 1500;
const MAX_RETRY_MS = 15_000;

// ---- a line as a terminal would leave it ----------------------------------------------------------------------------

const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
const STYLES = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse" };
const OFF = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["inverse"] };
// eslint-disable-next-line no-control-regex
const ESCAPE = /\x1b\[([0-9;:<=>?]*)[ -/]*([@-~]|$)|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)|\x1b[ -/]*[0-~]?|[\x00-\x08\x0a-\x0c\x0e-\x1f\x7f]/gs;
const KINDS = [
  ["command", /^\[Container\] \S+ \S+ Running command /],
  ["phase", /^\[Container\] \S+ \S+ (?:Entering phase |Phase complete: )/],
  ["error", /^\[Container\] \S+ \S+ (?:Command did not exit successfully|Phase context status code: \S)/],
];

function nearest(rgb) {
  return COLOURS[rgb.reduce((sum, value, index) => sum + (value >= 128 ? 1 << index : 0), 0)];
}

function indexed(number) {
  if (number < 16) return COLOURS[number % 8];
  if (number >= 232) return number >= 244 ? "white" : "black";
  const cube = number - 16;
  return nearest([51 * Math.floor(cube / 36), 51 * (Math.floor(cube / 6) % 6), 51 * (cube % 6)]);
}

function apply(state, params) {
  for (let index = 0; index < params.length; index += 1) {
    const code = params[index];
    if (code === 0) state.clear();
    else if (STYLES[code]) state.set(STYLES[code], STYLES[code]);
    else if (OFF[code]) OFF[code].forEach((name) => state.delete(name));
    else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) state.set("colour", COLOURS[code % 10]);
    else if (code === 39) state.delete("colour");
    else if (code === 38 || code === 48 || code === 58) {
      const size = { 5: 2, 2: 4 }[params[index + 1]] ?? 0;
      const values = params.slice(index + 2, index + 1 + size);
      if (code === 38 && size && values.length === size - 1) {
        state.set("colour", size === 2 ? indexed(values[0]) : nearest(values));
      }
      index += size;
    }
  }
}

export function spans(text) {
  if (!/[\x00-\x08\x0a-\x1f\x7f]/.test(text)) return text ? [["", text]] : []; // eslint-disable-line no-control-regex
  const state = new Map();
  let made = [];
  let isAtStart = false; // a carriage return moves to the line's start; what follows is written over what was there
  const write = (piece) => {
    const runs = piece.split("\r").filter(Boolean);
    if (runs.length && (isAtStart || runs.length > 1 || piece.startsWith("\r"))) made = [];
    isAtStart = piece.endsWith("\r") || (isAtStart && !runs.length);
    if (runs.length) made.push([[...state.values()].map((name) => `ansi-${name}`).join(" "), runs.at(-1)]);
  };
  let position = 0;
  for (const match of text.matchAll(ESCAPE)) {
    if (match.index > position) write(text.slice(position, match.index));
    position = match.index + match[0].length;
    if (match[2] === "m" && !/^[<=>?]/.test(match[1])) {
      apply(state, match[1].split(/[;:]/).map((one) => Number(one) || 0));
    }
  }
  if (position < text.length) write(text.slice(position));
  return made;
}

export function kind(text) {
  if (!text.startsWith("[Container] ")) return "";
  return KINDS.find(([, pattern]) => pattern.test(text))?.[0] ?? "";
}

// ---- the log --------------------------------------------------------------------------------------------------------

class LogViewer {
  constructor(box) {
    this.box = box;
    this.view = box.querySelector(".log");
    this.url = box.dataset.logUrl;
    this.total = Number(box.dataset.total);
    this.next = Number(box.dataset.next); // the stream begins here
    this.pages = new Map(); // page number → array of [ms, text]
    this.wanted = new Set();
    this.ownTop = 0;
    this.isFollowing = false;
    this.anchor = null; // the line to bring to the view's top; null: what is there stays
    this.block = { from: 0, to: -1, top: 0 }; // the lines that are drawn, and where
    this.target = null;
    this.retryMs = RETRY_MS;
    this.take(Number(box.dataset.first), this.readRows());
    this.build();
    this.measure();
    this.connectControls();
    if (!this.goToHash()) this.open();
  }

  // A log that grows opens at its end, a failed build where it failed.
  open() {
    const failed = Number(this.box.dataset.openAt);
    if (this.box.dataset.complete === "no") this.follow(true);
    else if (failed) this.show(failed - 1);
    else this.jumpTo(this.total);
  }

  // The server's rows are kept as they stand, colours and all.
  readRows() {
    return [...this.view.querySelectorAll(".log-line")].map((row) => {
      const line = [Number(row.dataset.ms), row.querySelector(".text").textContent];
      line.row = row;
      line.isServers = true;
      return line;
    });
  }

  build() {
    const first = this.view.querySelector(".log-line");
    this.rowHeight = first ? first.getBoundingClientRect().height : 0;
    this.space = document.createElement("div");
    this.space.className = "log-space";
    this.rows = document.createElement("div");
    this.rows.className = "log-rows";
    this.space.append(this.rows);
    this.view.replaceChildren(this.space);
  }

  measure() {
    const probe = this.makeRow(0, [0, "x"]);
    this.rows.append(probe);
    this.rowHeight = probe.getBoundingClientRect().height || this.rowHeight || 20;
    probe.remove();
  }

  connectControls() {
    const on = (selector, act) => this.box.querySelector(selector)?.addEventListener("click", act);
    on("[data-jump='start']", () => this.jumpTo(0));
    on("[data-jump='end']", () => this.jumpToEnd());
    on("[data-follow]", () => this.follow(!this.isFollowing));
    on("[data-times]", (event) => {
      const isOn = this.view.dataset.times !== "on";
      this.view.dataset.times = isOn ? "on" : "off";
      event.currentTarget.setAttribute("aria-pressed", String(isOn));
    });
    on("[data-wrap-toggle]", () => {
      const isOn = this.view.dataset.wrap !== "on";
      choices.set("log-wrap", isOn ? "on" : "off");
      this.wrap(isOn);
    });
    this.wrap((choices.get("log-wrap") ?? (matchMedia(NARROW).matches ? "on" : "off")) === "on");
    this.view.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.view.addEventListener("keydown", (event) => {
      if (event.key === "Home") this.jumpTo(0);
      else if (event.key === "End") this.jumpToEnd();
      else return;
      event.preventDefault();
    });
    addEventListener("hashchange", () => this.goToHash());
    addEventListener("resize", () => this.schedule());
    document.addEventListener("selectionchange", () => this.schedule());
  }

  // ---- lines in memory ----

  take(first, lines) {
    lines.forEach((line, index) => {
      const number = first + index;
      const page = Math.floor(number / PAGE);
      let kept = this.pages.get(page);
      if (!kept) this.pages.set(page, (kept = []));
      kept[number % PAGE] ??= line;
    });
    this.total = Math.max(this.total, first + lines.length);
    this.forget();
  }

  line(number) {
    return this.pages.get(Math.floor(number / PAGE))?.[number % PAGE];
  }

  forget() {
    if (this.pages.size <= MAX_PAGES) return;
    const [from, to] = [this.block.from, this.block.to].map((number) => Math.floor(number / PAGE));
    const last = Math.floor((this.total - 1) / PAGE);
    for (const page of this.pages.keys()) {
      if (this.pages.size <= MAX_PAGES) break;
      if ((page < from - 1 || page > to + 1) && page < last - 1) this.pages.delete(page);
    }
  }

  want(number) {
    const page = Math.floor(number / PAGE);
    if (this.wanted.has(page)) return;
    this.wanted.add(page);
    clearTimeout(this.fetchTimer);
    this.fetchTimer = setTimeout(() => this.fetchWanted(), FETCH_DELAY_MS);
  }

  // Of the pages asked for while the reader scrolled, those still in view.
  async fetchWanted() {
    const { from, to } = this.block;
    const pages = [...this.wanted].filter((page) => (page + 1) * PAGE > from && page * PAGE <= to);
    this.wanted = new Set(pages);
    for (const page of pages) {
      try {
        const response = await fetch(`${this.url}?from=${page * PAGE}&count=${PAGE}`, { headers: { Accept: "application/json" } });
        if (!response.ok) throw new Error(String(response.status));
        const body = await response.json();
        this.take(body.first, body.lines);
        this.total = Math.max(this.total, body.total);
        this.retryMs = RETRY_MS;
      } catch {
        setTimeout(() => this.schedule(), this.retryMs);
        this.retryMs = Math.min(MAX_RETRY_MS, this.retryMs * 2);
      }
      this.wanted.delete(page);
    }
    if (pages.length) this.schedule();
  }

  append(first, lines) {
    this.take(first, lines);
    this.next = Math.max(this.next, first + lines.length);
    this.schedule();
  }

  // ---- the view ----

  // How high a line that isn't drawn counts.
  unit() {
    return Math.min(this.rowHeight, MAX_HEIGHT / Math.max(1, this.total));
  }

  visibleRows() {
    return Math.max(1, Math.floor(this.view.clientHeight / this.rowHeight));
  }

  // The line at the view's top, and how many pixels of it are above.
  topLine() {
    const inBlock = this.view.scrollTop - this.block.top;
    const end = this.rows.offsetHeight;
    if (inBlock < 0 || !this.rows.childElementCount) {
      const line = Math.max(0, this.view.scrollTop) / this.unit();
      return { number: Math.floor(line), above: (line % 1) * this.rowHeight };
    }
    if (inBlock >= end) return { number: this.block.to + 1 + Math.floor((inBlock - end) / this.unit()), above: 0 };
    const rows = [...this.rows.children];
    const index = rows.findLastIndex((row) => this.offsetOf(row) <= inBlock);
    return { number: this.block.from + index, above: inBlock - this.offsetOf(rows[index]) };
  }

  schedule() {
    if (this.isScheduled) return;
    this.isScheduled = true;
    const draw = () => {
      this.isScheduled = false;
      this.draw();
    };
    if (document.hidden) setTimeout(draw, 250);
    else requestAnimationFrame(draw);
  }

  isSelecting() {
    const selection = document.getSelection();
    return Boolean(selection && !selection.isCollapsed && this.rows.contains(selection.anchorNode));
  }

  draw() {
    this.say();
    if (this.isSelecting()) return; // rows under a selection stay
    const last = this.total - 1;
    const top = this.isFollowing ? { number: last, above: 0 } : (this.anchor ?? this.topLine());
    const number = Math.max(0, Math.min(top.number, last));
    // Whoever is near the end sees the last line below, not above an empty view.
    const from = Math.max(0, Math.min(number, this.total - this.visibleRows()) - OVERSCAN);
    const to = Math.min(last, number + this.visibleRows() + OVERSCAN);
    const drawn = [];
    for (let one = from; one <= to; one += 1) {
      const line = this.line(one);
      if (!line) this.want(one);
      drawn.push(line ? (line.row ??= this.makeRow(one, line)) : this.makeRow(one, null));
      if (line) this.mark(line.row, one);
    }
    this.keepRowsOf(from, to);
    this.rows.replaceChildren(...drawn);
    this.place(from, to);
    this.anchor = null;
    const row = drawn[number - from];
    if (this.isFollowing) this.scrollTo(this.view.scrollHeight);
    else if (row) this.scrollTo(this.block.top + this.offsetOf(row) + top.above);
  }

  place(from, to) {
    const unit = this.unit();
    this.block = { from, to, top: from * unit };
    this.rows.style.transform = `translateY(${this.block.top}px)`;
    const height = this.block.top + this.rows.getBoundingClientRect().height + (this.total - 1 - to) * unit;
    this.space.style.height = `${height}px`;
  }

  offsetOf(row) {
    return row.getBoundingClientRect().top - this.rows.getBoundingClientRect().top;
  }

  // Rows out of view are made again when needed: the text is kept, the elements are not.
  keepRowsOf(from, to) {
    for (let number = this.block.from; number <= this.block.to; number += 1) {
      if (number >= from && number <= to) continue;
      const line = this.line(number);
      if (line?.row && !line.isServers) line.row = undefined;
    }
  }

  makeRow(number, line) {
    const row = document.createElement("div");
    row.className = "log-line";
    row.id = `L${number + 1}`;
    const link = document.createElement("a");
    link.className = "line-number";
    link.href = `#L${number + 1}`;
    link.textContent = String(number + 1);
    const time = document.createElement("time");
    const text = document.createElement("span");
    text.className = "text";
    row.append(link, time, text);
    if (!line) {
      row.dataset.state = "loading";
      text.textContent = " ";
      return row;
    }
    const at = new Date(line[0]);
    time.textContent = at.toISOString().slice(11, 23);
    time.dateTime = time.title = at.toISOString();
    const what = kind(line[1]);
    if (what) row.dataset.kind = what;
    for (const [classes, piece] of spans(line[1])) {
      if (!classes) {
        text.append(piece);
        continue;
      }
      const span = document.createElement("span");
      span.className = classes;
      span.textContent = piece;
      text.append(span);
    }
    return row;
  }

  mark(row, number) {
    if (number === this.target) row.setAttribute("aria-selected", "true");
    else row.removeAttribute("aria-selected");
  }

  say() {
    const count = this.box.querySelector("[data-line-count]");
    const words = `${this.total.toLocaleString("en")} line${this.total === 1 ? "" : "s"}`;
    if (count && count.textContent !== words) count.textContent = words;
    const note = this.box.querySelector("[data-log-note]");
    if (note) note.hidden = this.total > 0;
  }

  scrolled() {
    const isAtEnd = this.view.scrollTop + this.view.clientHeight >= this.view.scrollHeight - this.rowHeight * 1.5;
    const isOurs = Math.abs(this.view.scrollTop - this.ownTop) < 2;
    if (!isOurs && this.isFollowing !== isAtEnd && this.box.dataset.complete === "no") this.follow(isAtEnd);
    this.schedule();
  }

  // A scroll event tells not who scrolled; where we scrolled to does.
  scrollTo(top) {
    if (Math.abs(this.view.scrollTop - top) >= 1) this.view.scrollTop = top;
    this.ownTop = this.view.scrollTop;
  }

  wrap(isOn) {
    this.anchor ??= this.topLine();
    this.view.dataset.wrap = isOn ? "on" : "off";
    this.box.querySelector("[data-wrap-toggle]")?.setAttribute("aria-pressed", String(isOn));
    this.schedule();
  }

  follow(isOn) {
    this.isFollowing = isOn;
    this.box.querySelector("[data-follow]")?.setAttribute("aria-pressed", String(isOn));
    this.schedule();
  }

  jumpTo(number) {
    this.anchor = { number, above: 0 };
    this.follow(false);
  }

  jumpToEnd() {
    if (this.box.dataset.complete === "no") this.follow(true);
    else this.jumpTo(this.total);
  }

  // "#L123" shows line 123, a third down the view.
  goToHash() {
    const match = /^#L(\d{1,12})$/.exec(location.hash);
    if (!match) return false;
    this.target = Math.max(0, Number(match[1]) - 1);
    this.show(this.target);
    return true;
  }

  show(number) {
    this.jumpTo(Math.max(0, number - Math.floor(this.visibleRows() / 3)));
  }

  complete() {
    this.box.dataset.complete = "yes";
    const note = this.box.querySelector("[data-log-note]");
    if (note) note.textContent = "This build printed nothing.";
    if (this.isFollowing) {
      this.draw();
      this.follow(false);
    }
  }
}

// ---- the page -------------------------------------------------------------------------------------------------------

const page = document.querySelector("[data-build]");
const box = page?.querySelector(".log-box");
const viewer = box ? new LogViewer(box) : null;

function parse(html) {
  return new DOMParser().parseFromString(html, "text/html");
}

// The server's own fragments, escaped there; each part replaces the one that has its id.
function renew(source, ids) {
  for (const id of ids) {
    const fresh = source.getElementById(id);
    const here = document.getElementById(id);
    if (fresh && here) here.replaceChildren(...document.importNode(fresh, true).childNodes);
  }
}

function live(words, isLive) {
  const state = document.querySelector("[data-live-state]");
  if (!state) return;
  state.textContent = words;
  if (isLive) state.dataset.live = "on";
  else delete state.dataset.live;
}

async function renewAll() {
  const response = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  if (!response.ok) return;
  const fresh = parse(await response.text());
  renew(fresh, ["build-actions", "build-status", "build-phases", "build-artifacts", "build-facts"]);
  document.title = fresh.title;
}

function connect() {
  const from = viewer ? `?from=${viewer.next}` : "";
  const source = new EventSource(page.dataset.events + from);
  source.addEventListener("open", () => {
    live("live", true);
    delete document.documentElement.dataset.live;
  });
  source.addEventListener("log", (event) => {
    const body = JSON.parse(event.data);
    viewer?.append(body.first, body.lines);
  });
  source.addEventListener("status", (event) => renew(parse(event.data), ["build-status", "build-phases"]));
  source.addEventListener("end", () => {
    source.close();
    live("", false);
    viewer?.complete();
    renewAll().catch(() => {});
  });
  source.addEventListener("error", () => {
    live("reconnecting…", false);
    document.documentElement.dataset.live = "lost";
    // The browser comes back by itself, with the last line it has; only a refused stream stays closed.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS + Math.random() * RETRY_MS);
  });
}

if (page?.dataset.events) connect();

document.addEventListener("keydown", (event) => {
  if (event.key !== "f" || event.ctrlKey || event.metaKey || event.altKey || !viewer) return;
  if (event.target.closest("input, textarea, select, dialog")) return;
  viewer.follow(!viewer.isFollowing);
});
