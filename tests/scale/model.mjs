// A discrete-event model of provisioning, without a wall clock. Tenants arrive, and each makes the recorded calls of the real code
// (calls.json), one after the other. A station serves one call after the other (D1, a breaker) or all at once (objects, the network). An
// upstream takes so many calls a second, or so many at once. It fails by chance, and then the call is repeated.

/** mulberry32: the same numbers for the same seed. */
export function generator(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What one tenant asks of each station: how many calls, and for how many milliseconds it is busy with them. */
export function demand(stages, settings) {
  const calls = Object.values(stages).flat();
  const of = {};
  for (const [index, call] of calls.entries()) {
    const { to, ms } = parsed(call, settings);
    const station = to === "breaker" ? `breaker of ${watched(calls, index, settings)}` : to;
    of[station] ??= { calls: 0, ms: 0 };
    of[station].calls += 1;
    of[station].ms += ms;
  }
  return of;
}

/** A breaker is asked about the upstream that is called next, and told about the one that was called last. */
function watched(calls, index, { upstreams }) {
  const isUpstream = (name) => upstreams[name] !== undefined;
  return calls.slice(index).find(isUpstream) ?? calls.slice(0, index).findLast(isUpstream);
}

/** How many tenants a second each station takes, by itself; the lowest binds. `mix` is the share of each plan. */
export function limits(recorded, settings, mix) {
  const per = {};
  for (const [plan, share] of Object.entries(mix)) {
    for (const [to, { calls, ms }] of Object.entries(demand(recorded[plan], settings))) {
      per[to] ??= { calls: 0, ms: 0 };
      per[to].calls += share * calls;
      per[to].ms += share * ms;
    }
  }
  return Object.fromEntries(
    Object.entries(per).flatMap(([to, { calls, ms }]) => {
      if (to === "d1") return [[to, (1000 * settings.registers) / ms]];
      if (to.startsWith("breaker")) return [[to, 1000 / ms]];
      const upstream = settings.upstreams[to];
      const perCall = upstream?.perSecond ?? (upstream?.atOnce === undefined ? undefined : (1000 * upstream.atOnce) / upstream.ms);
      return perCall === undefined ? [] : [[to, (perCall * (1 - (upstream.fails ?? 0))) / calls]];
    }),
  );
}

/** A call as recorded: to which station, and for how long that is busy with it. */
function parsed(call, { d1, object, breaker, upstreams }) {
  const [to, rows] = call.split(" ");
  if (to === "d1") return { to, ms: rows === "0" ? d1.readMs : d1.writeMs + d1.rowMs * Number(rows) };
  if (to === "object") return { to, ms: object.ms };
  if (to === "breaker") return { to, ms: breaker.ms };
  if (upstreams[to] === undefined) throw new Error(`The settings know no upstream ${to}.`);
  return { to, ms: upstreams[to].ms };
}

/**
 * `tenants` arrive, `perSecond` of them at moments that are drawn (all at once if that is infinite). Returns the sorted milliseconds of
 * signups and of runs, the share of time that D1 was busy, and the whole duration.
 */
export function simulate(recorded, settings, { tenants, perSecond, mix, seed }) {
  const draw = generator(seed);
  const exponential = (mean) => -mean * Math.log(1 - draw());
  const events = new Queue();
  const stations = new Map();
  const plans = Object.entries(mix);
  const took = { signup: [], run: [] };
  let now = 0;
  let busy = 0;

  /** When a call that arrives now at a station is answered. */
  function answered({ to, ms }, key) {
    if (to === "object") return now + settings.networkMs + ms;
    const upstream = settings.upstreams[to];
    const { atOnce = upstream === undefined ? 1 : Infinity, perSecond: rate = Infinity } = upstream ?? {};
    if (!stations.has(key)) stations.set(key, { free: [], next: 0 });
    const station = stations.get(key);
    let start = Math.max(now, station.next);
    if (atOnce !== Infinity) {
      // Whoever waits gets the place that is free first.
      if (station.free.length >= atOnce) start = Math.max(start, station.free.splice(station.free.indexOf(Math.min(...station.free)), 1)[0]);
    }
    station.next = rate === Infinity ? 0 : start + 1000 / rate;
    const service = upstream === undefined ? ms : exponential(ms);
    if (atOnce !== Infinity) station.free.push(start + service);
    if (to === "d1") busy += service;
    return start + service + settings.networkMs;
  }

  function arrives() {
    const at = draw();
    let sum = 0;
    const [plan] = plans.find(([, share]) => (sum += share) > at) ?? plans.at(-1);
    const { signup, brand, queue, run, afterwards } = recorded[plan];
    const register = Math.floor(draw() * settings.registers);
    const began = now;
    proceed(signup, () => {
      took.signup.push(now - began);
      proceed([...brand, ...queue], () => {
        const queued = now;
        proceed(run, () => {
          took.run.push(now - queued);
          proceed(afterwards, () => {}, 0);
        }, 0);
      }, 0);
    }, 0);

    function proceed(calls, then, index, attempt = 1) {
      if (index === calls.length) return then();
      const call = parsed(calls[index], settings);
      const key = { d1: `d1 ${register}`, breaker: `breaker of ${call.to === "breaker" ? watched(calls, index, settings) : ""}` }[call.to] ?? call.to;
      events.add(answered(call, key), () => {
        const fails = settings.upstreams[call.to]?.fails ?? 0;
        if (draw() >= fails) return proceed(calls, then, index + 1);
        events.add(now + Math.min(settings.backoffMs * 2 ** (attempt - 1), settings.longestBackoffMs) * (0.8 + 0.4 * draw()), () => proceed(calls, then, index, attempt + 1));
      });
    }
  }

  let at = 0;
  for (let n = 0; n < tenants; n++) {
    events.add(at, () => arrives());
    if (perSecond !== Infinity) at += exponential(1000 / perSecond);
  }
  for (let event = events.take(); event; event = events.take()) {
    now = event.at;
    event.act();
  }
  const sorted = (all) => all.sort((one, other) => one - other);
  return { signup: sorted(took.signup), run: sorted(took.run), busy: busy / (now * settings.registers), ms: now };
}

export const share = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];

/** A binary heap by time; what was added first comes first of the same moment. */
class Queue {
  #heap = [];
  #added = 0;

  #before(one, other) {
    return one.at < other.at || (one.at === other.at && one.number < other.number);
  }

  add(at, act) {
    const heap = this.#heap;
    let index = heap.push({ at, act, number: this.#added++ }) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#before(heap[index], heap[parent])) break;
      [heap[index], heap[parent]] = [heap[parent], heap[index]];
      index = parent;
    }
  }

  take() {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (heap.length === 0) return first;
    heap[0] = last;
    for (let index = 0; ; ) {
      const [left, right] = [2 * index + 1, 2 * index + 2];
      let least = index;
      if (left < heap.length && this.#before(heap[left], heap[least])) least = left;
      if (right < heap.length && this.#before(heap[right], heap[least])) least = right;
      if (least === index) return first;
      [heap[index], heap[least]] = [heap[least], heap[index]];
      index = least;
    }
  }
}
