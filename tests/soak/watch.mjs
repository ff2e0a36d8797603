import { say } from "../../scripts/lib/project.mjs";

/** When each run was queued and when it was over, as D1 lists it. */
export class Watch {
  constructor(tenants, sql) {
    this.tenants = new Set(tenants.map(({ tenantId }) => tenantId));
    this.sql = sql;
    this.begun = new Map();
    this.over = new Map();
    this.started = this.told = performance.now();
  }

  queued({ tenantId }) {
    this.begun.set(tenantId, performance.now());
  }

  mailed() {
    this.mailedAfter = (performance.now() - Math.max(...this.over.values())) / 1000;
  }

  async look() {
    const tenants = await this.sql("select id, provision_state as state, provision_reason as reason from tenants");
    const now = performance.now();
    const unfinished = [];
    for (const { id, state, reason } of tenants.filter(({ id }) => this.tenants.has(id))) {
      if (state !== "completed") unfinished.push([id, state, reason]);
      else if (!this.over.has(id)) this.over.set(id, now);
    }
    if (now - this.told > 10_000) {
      this.told = now;
      say(`${this.tenants.size - unfinished.length} of ${this.tenants.size} completed after ${Math.round((now - this.started) / 1000)} s`);
    }
    return unfinished;
  }

  /** Looks until this is settled. */
  async during(work) {
    let isDone = false;
    const isOver = () => (isDone = true);
    work.then(isOver, isOver);
    while (!isDone) {
      await this.look();
      await new Promise((done) => setTimeout(done, 250));
    }
    await work;
  }

  /** Waits until this share of all is completed. */
  async share(part) {
    while (this.over.size < this.tenants.size * part) {
      await this.look();
      await new Promise((done) => setTimeout(done, 100));
    }
  }

  /** Waits until D1 lists all as completed, and answers those that were not in time. Of each that failed somebody is told. */
  async untilOver(limit, failed) {
    const deadline = performance.now() + limit;
    for (;;) {
      const unfinished = await this.look();
      if (unfinished.length === 0 || performance.now() > deadline) return unfinished;
      for (const [id, state, reason] of unfinished) if (state === "failed") await failed(id, reason);
      await new Promise((done) => setTimeout(done, 250));
    }
  }

  /** Seconds from being queued to completed, in order. */
  seconds() {
    return [...this.over].map(([id, at]) => (at - this.begun.get(id)) / 1000).sort((a, b) => a - b);
  }
}
