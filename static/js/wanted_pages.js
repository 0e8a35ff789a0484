// The pages of rows that a windowed view lacks: fetched one after the other, when the reader has stopped scrolling.
const DELAY_MS = 60;
const RETRY_MS = 1500;
const MAX_RETRY_MS = 15_000;

export class WantedPages {
  // size: rows a page; range: the first and the last row in view; load: fetches a page and takes its rows, or throws;
  // loaded: draws the view, and adds the rows that it lacks.
  constructor({ size, range, load, loaded }) {
    Object.assign(this, { size, range, load, loaded });
    this.wanted = new Set();
    this.retryMs = RETRY_MS;
  }

  // The page of a row.
  add(row) {
    const page = Math.floor(row / this.size);
    if (this.wanted.has(page)) return;
    this.wanted.add(page);
    this.soon();
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fetch(), DELAY_MS);
  }

  // Of the pages asked for, those still in view.
  async fetch() {
    if (this.isFetching) return;
    this.isFetching = true;
    const [from, to] = this.range();
    const pages = [...this.wanted].filter((page) => (page + 1) * this.size > from && page * this.size <= to);
    this.wanted = new Set(pages);
    for (const page of pages) {
      try {
        await this.load(page);
        this.retryMs = RETRY_MS;
      } catch {
        setTimeout(() => this.loaded(), this.retryMs); // which asks again for what is in view then
        this.retryMs = Math.min(MAX_RETRY_MS, this.retryMs * 2);
        this.wanted.clear();
        break;
      }
      this.wanted.delete(page);
    }
    this.isFetching = false;
    if (this.wanted.size) this.soon();
    if (pages.length && this.retryMs === RETRY_MS) this.loaded();
  }
}
