// The commit graph as a window over all its rows: only what is near the view is in the page.
//
// The server draws rows; they come as fragments of its own, a page of them a request, and a bounded number of pages is
// kept. Without an index the server has given the top alone; the first request waits for it, then scrolling begins.

import { WantedPages } from "./wanted_pages.js";

const PAGE = 100; // rows a request, as views/graph.py has it
const MAX_PAGES = 8;
const OVERSCAN = 15; // rows drawn above and below the view
const ADDRESS_DELAY_MS = 400;

class GraphViewer {
  constructor(view) {
    this.view = view;
    this.table = view.querySelector("table");
    this.body = this.table.tBodies[0];
    this.status = document.querySelector("[data-graph-status]");
    this.state = view.dataset.state;
    this.total = Number(view.dataset.total);
    this.pages = new Map(); // page number → its rows
    this.wanted = new WantedPages({ size: PAGE, range: () => this.range(), load: (page) => this.load(page), loaded: () => this.schedule() });
    this.lit = null;
    this.selected = null;
    this.width = 0;
  }

  async start() {
    const rows = [...this.body.rows];
    const first = Number(this.view.dataset.first);
    const target = location.hash.startsWith("#c-") ? document.getElementById(location.hash.slice(1)) : null;
    this.connectLines();
    if (!this.total) {
      this.say("Laying out the rest of this graph…");
      const answer = await this.ask({ from: 0 });
      this.say("");
      this.accept(answer);
    } else {
      this.keep(first, rows);
    }
    this.build();
    this.connect();
    if (target) this.select(Number(target.dataset.row), false);
    this.scrollToRow(target ? Number(target.dataset.row) - this.visibleRows() / 3 : first);
    this.draw();
  }

  build() {
    document.querySelector("[data-graph-pages]")?.remove();
    this.space = document.createElement("div");
    this.space.className = "graph-space";
    this.view.append(this.space);
    this.space.append(this.table);
    this.view.dataset.windowed = "yes";
    this.view.tabIndex = 0;
    this.view.setAttribute("role", "region");
    this.view.setAttribute("aria-label", "Commit graph");
    this.measure();
  }

  measure() {
    this.rowHeight = this.body.rows[0]?.getBoundingClientRect().height || 28;
    this.space.style.height = `${this.total * this.rowHeight}px`;
    this.table.setAttribute("aria-rowcount", String(this.total + 1));
    const count = document.querySelector("[data-graph-count]");
    if (count) count.textContent = `${this.total.toLocaleString("en")} commit${this.total === 1 ? "" : "s"}`;
  }

  say(words) {
    if (this.status) this.status.textContent = words;
  }

  // ---- rows in memory ----

  // The server's own fragment, escaped there. Throws where the server refuses; its words are the message then.
  async ask(parameters) {
    const url = new URL(this.view.dataset.rowsUrl, location.href);
    for (const [key, value] of Object.entries(parameters)) url.searchParams.set(key, value);
    const response = await fetch(url, { headers: { Accept: "text/html" } });
    const fragment = new DOMParser().parseFromString(await response.text(), "text/html");
    if (response.ok) return fragment.querySelector("table[data-first]");
    const words = fragment.querySelector(".error-page .lead")?.textContent;
    throw Object.assign(new Error(words ?? "The server did not answer."), { status: response.status });
  }

  accept(answer) {
    if (answer.dataset.state !== this.state) {
      this.state = answer.dataset.state;
      this.pages.clear();
      this.say("Something was pushed: this is the graph as it is now.");
    }
    this.total = Number(answer.dataset.total);
    this.keep(Number(answer.dataset.first), [...document.importNode(answer, true).tBodies[0].rows]);
    if (this.space) this.measure();
  }

  keep(first, rows) {
    this.widen(parseInt(rows[0]?.querySelector("svg").getAttribute("width"), 10) || 0);
    rows.forEach((row, index) => {
      const number = first + index;
      const page = Math.floor(number / PAGE);
      if (!this.pages.has(page)) this.pages.set(page, []);
      this.pages.get(page)[number % PAGE] = row;
    });
    if (!this.space || this.pages.size <= MAX_PAGES) return;
    const middle = this.topRow() / PAGE;
    const far = [...this.pages.keys()].sort((one, other) => Math.abs(other + 0.5 - middle) - Math.abs(one + 0.5 - middle));
    for (const page of far.slice(0, this.pages.size - MAX_PAGES)) this.pages.delete(page);
  }

  // The column of lanes grows with what was seen, and never shrinks: the words beside it would move to and fro.
  widen(lanes) {
    if (lanes <= this.width) return;
    this.width = lanes;
    this.view.style.setProperty("--graph-width", String(lanes));
  }

  row(number) {
    return this.pages.get(Math.floor(number / PAGE))?.[number % PAGE];
  }

  async load(page) {
    try {
      this.accept(await this.ask({ from: page * PAGE }));
    } catch (error) {
      if (error.status) this.say(error.message);
      throw error;
    }
  }

  // ---- the view ----

  topRow() {
    return this.view.scrollTop / this.rowHeight;
  }

  visibleRows() {
    return Math.max(1, Math.floor(this.view.clientHeight / this.rowHeight));
  }

  range() {
    const top = Math.floor(this.topRow());
    return [Math.max(0, top - OVERSCAN), Math.min(this.total - 1, top + this.visibleRows() + OVERSCAN)];
  }

  scrollToRow(number) {
    this.view.scrollTop = Math.max(0, Math.round(number)) * this.rowHeight;
  }

  schedule() {
    if (this.isScheduled) return;
    this.isScheduled = true;
    requestAnimationFrame(() => {
      this.isScheduled = false;
      this.draw();
    });
  }

  // Rows that stay are left where they are, so that focus and selection live on.
  draw() {
    const [from, to] = this.range();
    const rows = [];
    for (let number = from; number <= to; number += 1) {
      const row = this.row(number);
      if (!row) this.wanted.add(number);
      rows.push(row ?? this.emptyRow(number));
    }
    const kept = new Set(rows);
    for (const row of [...this.body.rows]) if (!kept.has(row)) row.remove();
    rows.forEach((row, index) => {
      if (this.body.rows[index] !== row) this.body.insertBefore(row, this.body.rows[index] ?? null);
      this.mark(row);
    });
    this.table.style.transform = `translateY(${from * this.rowHeight}px)`;
    this.light(this.lit);
    if (this.focusWanted !== undefined && this.row(this.focusWanted)) this.focusRow(this.focusWanted);
  }

  emptyRow(number) {
    const row = document.createElement("tr");
    row.dataset.row = String(number);
    row.dataset.state = "loading";
    const lanes = document.createElement("td");
    lanes.className = "graph-lanes";
    const text = document.createElement("td");
    text.className = "graph-subject";
    text.colSpan = 5;
    text.textContent = "…";
    row.append(lanes, text);
    return row;
  }

  mark(row) {
    row.toggleAttribute("data-selected", this.selected !== null && Number(row.dataset.row) === this.selected);
  }

  // ---- lines ----

  connectLines() {
    const lights = (event) => this.light(this.leadsTo(event));
    for (const kind of ["pointerover", "pointermove", "focusin"]) this.view.addEventListener(kind, lights, { passive: true });
    for (const kind of ["pointerleave", "focusout"]) this.view.addEventListener(kind, () => this.light(null));
  }

  // A line is thin: one that is a few pixels beside the pointer is meant, too.
  leadsTo(event) {
    const direct = event.target.closest?.("[data-to]");
    if (direct || !event.target.closest?.(".graph-lanes") || event.clientX === undefined) return direct?.dataset.to ?? null;
    for (const aside of [-2, 2, -4, 4]) {
      const line = document.elementFromPoint(event.clientX + aside, event.clientY)?.closest("path[data-to]");
      if (line) return line.dataset.to;
    }
    return null;
  }

  light(to) {
    if (this.lit !== to) for (const one of this.body.querySelectorAll("[data-lit]")) delete one.dataset.lit;
    this.lit = to;
    this.view.toggleAttribute("data-on-line", to !== null);
    if (to === null) return;
    for (const one of this.body.querySelectorAll(`[data-to="${CSS.escape(to)}"]`)) one.dataset.lit = "yes";
  }

  // ---- going somewhere ----

  connect() {
    this.view.addEventListener("scroll", () => this.scrolled(), { passive: true });
    addEventListener("resize", () => {
      const top = this.topRow();
      this.measure();
      this.scrollToRow(top);
      this.schedule();
    });
    addEventListener("popstate", () => this.goBack());
    document.addEventListener("keydown", (event) => this.pressed(event), true);
    this.view.addEventListener("click", (event) => this.clicked(event));
    document.querySelector("[data-graph-find]")?.addEventListener("submit", (event) => {
      event.preventDefault();
      this.find({ find: new FormData(event.target).get("find") });
    });
  }

  scrolled() {
    this.schedule();
    clearTimeout(this.addressTimer);
    this.addressTimer = setTimeout(() => history.replaceState(null, "", this.address()), ADDRESS_DELAY_MS);
  }

  // A page that is loaded again, or come back to, opens where it was.
  address() {
    const url = new URL(this.view.dataset.pageUrl, location.href);
    const row = Math.round(this.topRow());
    if (row) url.searchParams.set("from", row);
    return url.href;
  }

  goBack() {
    this.scrollToRow(Number(new URL(location.href).searchParams.get("from")));
  }

  jumpTo(number) {
    clearTimeout(this.addressTimer);
    history.replaceState(null, "", this.address());
    if (number < this.topRow() || number >= this.topRow() + this.visibleRows() - 1) {
      this.scrollToRow(number - this.visibleRows() / 3);
      history.pushState(null, "", this.address());
    }
    this.select(number, true);
    this.schedule();
  }

  select(number, isFocused) {
    this.selected = Math.min(this.total - 1, Math.max(0, number));
    for (const row of this.body.rows) this.mark(row);
    if (!isFocused) return;
    if (this.row(this.selected)?.isConnected) this.focusRow(this.selected);
    else this.focusWanted = this.selected;
  }

  focusRow(number) {
    this.focusWanted = undefined;
    this.row(number)?.querySelector("[data-row-link]")?.focus({ preventScroll: true });
  }

  async find(parameters) {
    this.say("Looking for it…");
    try {
      const answer = await this.ask(parameters);
      this.say("");
      this.accept(answer);
      this.jumpTo(Number(answer.dataset.target));
    } catch (error) {
      this.say(error.message);
    }
  }

  // What a line or a link to a parent leads to: a row's number.
  follow(to) {
    if (!/^\d+$/.test(to) || Number(to) >= this.total) return false;
    this.jumpTo(Number(to));
    return true;
  }

  clicked(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const to = this.leadsTo(event);
    if (to !== null && this.follow(to)) {
      event.preventDefault();
      return;
    }
    const child = event.target.closest("a.graph-child");
    if (child) {
      event.preventDefault();
      this.find({ child: new URL(child.href).searchParams.get("child") });
      return;
    }
    const row = event.target.closest("tr[data-row]");
    if (row) this.select(Number(row.dataset.row), false);
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.target.closest("input, textarea, select, dialog, details[open]")) return;
    const isHere = this.view.contains(event.target) || event.target === document.body || event.target.id === "main";
    if (!isHere) return;
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    if (step) this.step(step);
    else if (event.key === "p") this.followFirstParent();
    else if (event.key === "Home") this.jumpTo(0);
    else if (event.key === "End") this.jumpTo(this.total - 1);
    else return;
    event.preventDefault();
  }

  step(by) {
    const focused = document.activeElement?.closest?.("tr[data-row]");
    const at = focused && this.view.contains(focused) ? Number(focused.dataset.row) : this.selected;
    const next = at === null ? Math.ceil(this.topRow()) : Math.min(this.total - 1, Math.max(0, at + by));
    if (next < this.topRow()) this.scrollToRow(next);
    else if (next > this.topRow() + this.visibleRows() - 1) this.view.scrollTop = (next + 1) * this.rowHeight - this.view.clientHeight;
    this.draw();
    this.select(next, true);
  }

  followFirstParent() {
    const row = this.selected === null ? null : this.row(this.selected);
    const parent = row?.querySelector(".graph-parents a[data-to]");
    if (parent) this.follow(parent.dataset.to);
  }
}

const view = document.querySelector("[data-graph]");
if (view) {
  const viewer = new GraphViewer(view);
  viewer.start().catch((error) => viewer.say(error.message));
}
