// Frames from the server, and the model of everything held in the browser. The Python twin is triadapt/views/frames.py.

const FRAME_TYPES = {u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f4: Float32Array};

// The header of a frame with its arrays in place. `bytes` is a Uint8Array or an ArrayBuffer.
export function unpackFrame(bytes) {
  const copy = new Uint8Array(bytes).slice(); // starts at offset 0, so that 4-byte views are aligned
  const length = new DataView(copy.buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(copy.subarray(4, 4 + length)));
  const base = 4 + length;
  const restore = (value) => {
    if (Array.isArray(value)) return value.map(restore);
    if (value === null || typeof value !== "object") return value;
    if (Array.isArray(value.$)) {
      const [name, offset, count] = value.$;
      return new FRAME_TYPES[name](copy.buffer, base + offset, count);
    }
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, restore(item)]));
  };
  return restore(header);
}

// One run as held in the browser: grows by increments, never shrinks.
export class HeldRun {
  constructor(id) {
    this.id = id;
    this.generation = null;
    this.to = 0;
    this.started = null;
    this.status = {state: "queued"};
    this.step = {t: [], loss: []};
    this.clock = {t: [], time: [], lr: []}; // running time and learning rate at some of the steps
    this.scores = [];
    this.events = [];
    this.evals = [];
    this.geometry = [];
    this.baselines = {};
    this.warnings = [];
    this.error = null;
  }

  get size() {
    return this.started ? this.started.matrices.length : 0;
  }

  // Last step this run has told anything about; -1 before the first.
  get last() {
    const ends = [this.step.t, this.events.map((e) => e.t), this.evals.map((e) => e.t)];
    return Math.max(-1, ...ends.map((list) => (list.length ? list[list.length - 1] : -1)));
  }

  get startRanks() {
    if (!this.size) return [];
    if (this.events.length && this.events[0].before.length === this.size) return this.events[0].before;
    if (this.geometry.length && (!this.events.length || this.geometry[0].t < this.events[0].t)) return this.geometry[0].ranks;
    return new Array(this.size).fill(Math.round(this.started.start_total / this.size));
  }

  // Index of the last rank event at or before a step, -1 if none.
  eventAt(step) {
    return lastAtOrBefore(this.events, step);
  }

  ranksAt(step) {
    const index = this.eventAt(step);
    return index < 0 ? this.startRanks : this.events[index].ranks;
  }

  // A status may rename a run and give it another look, so that two runs of one method can be told apart.
  setStatus(status) {
    this.status = status;
    if (!this.started) return;
    for (const key of ["label", "colour", "dash"]) if (status[key]) this.started[key] = status[key];
  }

  append(part) {
    if (part.started) this.started = part.started;
    const n = this.size;
    if (part.step) {
      for (const key of ["t", "loss"]) for (const value of part.step[key]) this.step[key].push(value);
      for (const key of ["t", "time", "lr"]) for (const value of part.step.clock[key]) this.clock[key].push(value);
    }
    if (part.scores) {
      part.scores.t.forEach((t, i) => this.scores.push({t, scores: part.scores.values.subarray(i * n, (i + 1) * n)}));
    }
    if (part.events) this.#appendEvents(part.events, n);
    if (part.evals) part.evals.t.forEach((t, i) => this.evals.push({t, metrics: part.evals.metrics[i]}));
    if (part.geometry) this.#appendGeometry(part.geometry, n);
    Object.assign(this.baselines, part.baselines || {});
    this.warnings.push(...(part.warnings || []));
    if (part.error) this.error = part.error;
    this.to = part.to;
  }

  #appendEvents(e, n) {
    let units = 0;
    e.t.forEach((t, i) => {
      const row = (array) => array.subarray(i * n, (i + 1) * n);
      this.events.push({
        t, threshold: e.threshold[i], allowed: e.allowed[i], total: e.total[i], params: e.params[i], bytes: e.bytes[i],
        rule: e.rule[i], chosen: e.chosen[i], scores: row(e.scores), ranks: row(e.ranks), before: row(e.before),
        units: e.units.subarray(units, units + e.unit_count[i]),
        unitMatrix: e.unit_matrix.subarray(units, units + e.unit_count[i]),
      });
      units += e.unit_count[i];
    });
  }

  #appendGeometry(g, n) {
    let singular = 0;
    let core = 0;
    g.t.forEach((t, i) => {
      this.geometry.push({
        t, ranks: g.ranks.subarray(i * n, (i + 1) * n),
        singular: g.singular.subarray(singular, singular + g.singular_count[i]),
        core: g.core.subarray(core, core + g.core_count[i]),
      });
      singular += g.singular_count[i];
      core += g.core_count[i];
    });
  }
}

// Value at a step of what is known at the steps `known`, straight in between; null where nothing is known.
export function between(known, values, step) {
  if (!known.length) return null;
  const at = known.findLastIndex((t) => t <= step);
  if (at < 0) return values[0];
  if (at === known.length - 1) return values[at];
  return values[at] + ((step - known[at]) / (known[at + 1] - known[at])) * (values[at + 1] - values[at]);
}

// Index of the last item with `t <= step` in a list ordered by `t`, -1 if none.
export function lastAtOrBefore(list, step) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].t <= step) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// All runs in view. `apply` says what a frame did: {fresh, changed, missing}.
export class Held {
  constructor() {
    this.view = null;
    this.runs = [];
    this.extras = {};
  }

  apply(frame) {
    const fresh = frame.view !== this.view;
    this.extras = {...(fresh ? {} : this.extras), ...frame};
    delete this.extras.runs;
    if (fresh || frame.full) {
      this.view = frame.view;
      this.runs = [];
    }
    let changed = fresh || frame.full;
    let missing = false;
    for (const part of frame.runs) {
      let run = this.runs.find((one) => one.id === part.id);
      if (!run) {
        run = new HeldRun(part.id);
        run.generation = part.generation;
        run.to = frame.full || part.from <= 0 ? part.from : 0;
        this.runs.push(run);
        changed = true;
      }
      if (JSON.stringify(run.status) !== JSON.stringify(part.status)) changed = true;
      if (run.generation !== part.generation) missing = true;
      else if (part.from === run.to) {
        if (part.to > run.to) changed = true;
        if (part.to > run.to || part.started) run.append(part);
      } else if (part.to > run.to) missing = true;
      run.setStatus(part.status);
    }
    return {fresh, changed, missing};
  }

  get total() {
    return Math.max(1, ...this.runs.map((run) => (run.started ? run.started.total_step : 0)));
  }

  get last() {
    return Math.max(-1, ...this.runs.map((run) => run.last));
  }

  get points() {
    return this.runs.reduce((sum, run) => sum + run.step.t.length, 0);
  }
}
