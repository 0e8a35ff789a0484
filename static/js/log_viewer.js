// A log as a window over all its lines.
//
// Only the rows in view are in the page, as one block with room above and below it that stands for all other lines. Rows
// are as high as their text; the room is so many times a line's height, or less where that came to more than a page may
// have. Lines come from the stream as they are written and, for what is far from the end, in pages by number; a bounded
// number of pages is kept. Text reaches the page through textContent alone.

import { kind, spans } from "./log_line.js";
import { WantedPages } from "./wanted_pages.js";

const PAGE = 500; // lines a request
const MAX_PAGES = 60;
const OVERSCAN = 20; // rows drawn above and below the view
const MAX_HEIGHT = 8_000_000; // browsers stop drawing somewhere above 16 million pixels
const NARROW = "(max-width: 720px)";

export class LogViewer {
  constructor(box) {
    this.box = box;
    this.view = box.querySelector(".log");
    this.url = box.dataset.logUrl;
    this.total = Number(box.dataset.total);
    this.next = Number(box.dataset.next); // the stream begins here
    this.pages = new Map(); // page number → array of [ms, text]
    const range = () => [this.block.from, this.block.to];
    this.wanted = new WantedPages({ size: PAGE, range, load: (page) => this.load(page), loaded: () => this.schedule() });
    this.ownTop = 0;
    this.isFollowing = false;
    this.anchor = null; // the line to bring to the view's top; null: what is there stays
    this.block = { from: 0, to: -1, top: 0 }; // the lines that are drawn, and where
    this.target = null;
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

  async load(page) {
    const response = await fetch(`${this.url}?from=${page * PAGE}&count=${PAGE}`, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(String(response.status));
    const body = await response.json();
    this.take(body.first, body.lines);
    this.total = Math.max(this.total, body.total);
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
      if (!line) this.wanted.add(one);
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
