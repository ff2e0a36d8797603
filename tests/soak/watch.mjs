import { say } from "../../scripts/lib/project.mjs";

/** When each run was queued and when it was over, as D1 lists it. */
export class Watch {
  constructor(clubs, sql) {
    this.clubs = clubs;
    this.sql = sql;
    this.begun = new Map();
    this.over = new Map();
  }

  queued({ tenantId }) {
    this.begun.set(tenantId, performance.now());
  }

  /** Answers those that were not over in time. */
  async untilOver(limit, resume) {
    const started = performance.now();
    let told = started;
    for (;;) {
      const tenants = await this.sql("select id, provision_state as state, provision_reason as reason from tenants");
      const now = performance.now();
      for (const { id, state, reason } of tenants) {
        if (state === "completed" && !this.over.has(id)) this.over.set(id, now);
        if (state === "failed") await resume(id, reason);
      }
      if (this.over.size === this.clubs.length) return [];
      if (now - started > limit) return tenants.filter(({ id }) => !this.over.has(id)).map(({ id, state }) => [id, state]);
      if (now - told > 10_000) {
        told = now;
        say(`${this.over.size} of ${this.clubs.length} completed after ${Math.round((now - started) / 1000)} s`);
      }
      await new Promise((done) => setTimeout(done, 100));
    }
  }

  /** Seconds from being queued to completed, in order. */
  seconds() {
    return [...this.over].map(([id, at]) => (at - this.begun.get(id)) / 1000).sort((a, b) => a - b);
  }
}
