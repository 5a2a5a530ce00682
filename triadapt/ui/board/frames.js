// Frames from the server, and the model of everything held in the browser. The Python twin is triadapt/views/frames.py.

const FRAME_TYPES = {u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f4: Float32Array, f2: Uint16Array};
const UNKNOWN_RANK = 65535;
const NO_SCORES = new Float32Array(0);
const PIECE_KINDS = ["rank", "rank with owners", "scores", "geometry"]; // KINDS in triadapt/views/pieces.py

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
      const array = new FRAME_TYPES[name](copy.buffer, base + offset, count);
      return name === "f2" ? fromHalves(array) : array;
    }
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, restore(item)]));
  };
  return restore(header);
}

// Numbers of half precision, given as their bits.
function fromHalves(bits) {
  return Float32Array.from(bits, (half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -24 * fraction;
  });
}

// A table of matrices (`matrix_table` in triadapt/views/board_parts.py) as a list.
export function matrixList({layer, modules, module, shapes, shape, planted, names, patterns}) {
  return layer.map((at, i) => ({
    name: names ? names[i] : patterns[module[i]].replaceAll("{}", at), layer: at, module: modules[module[i]], shape: shapes[shape[i]],
    planted: planted[i] === UNKNOWN_RANK ? null : planted[i],
  }));
}

// One run as held in the browser: grows by increments, never shrinks.
export class HeldRun {
  constructor(id) {
    this.id = id;
    this.generation = null;
    this.to = 0;
    this.fills = 0; // times that something was put among what was there
    this.told = 0; // sequence number up to which there are events, held or not
    this.toldStep = null; // step of the newest of them, where it is known
    this.partial = new Map(); // payloads that are not whole yet
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

  // Changes when what is already held changes.
  get version() {
    return `${this.generation}.${this.fills}`;
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

  // Rank events that were decided: those that tell ranks which nobody decided are left out.
  get decisions() {
    return this.events.filter((event) => event.rule !== "saved" && event.rule !== "measured");
  }

  // Whether its method has no rank of its own, so that its ranks are those of dW as they were measured.
  get measured() {
    return Boolean(this.started) && this.started.rank_kind === "measured";
  }

  // What its events judge one by one, where that is not a matrix.
  get unit() {
    return this.started && this.started.allocation === "freezes" ? "subspace" : "triplet";
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
      const {first, t, loss} = part.step;
      loss.forEach((value, i) => { this.step.t.push(t ? t[i] : first + i); this.step.loss.push(value); });
      for (const key of ["t", "time", "lr"]) for (const value of part.step.clock[key]) this.clock[key].push(value);
    }
    const known = this.events.length;
    if (part.events) this.#appendEvents(part.events);
    if (part.pieces) this.#collect(part.pieces, n, known);
    if (part.evals) {
      const {t: times, metrics} = part.evals;
      const names = Object.keys(metrics);
      times.forEach((t, i) => this.evals.push({
        t, metrics: Array.isArray(metrics) ? metrics[i] : Object.fromEntries(names.map((name) => [name, metrics[name][i]])),
      }));
    }
    Object.assign(this.baselines, part.baselines || {});
    this.warnings.push(...(part.warnings || []));
    if (part.error) this.error = part.error;
    this.to = part.to;
  }

  #appendEvents(e) {
    let chosen = 0;
    let change = 0;
    let row = e.ranks.before;
    const next = (at) => {
      const count = e.ranks.changes[at];
      if (!count) return row;
      const ranks = row.slice();
      for (let i = change; i < change + count; i += 1) ranks[e.ranks.where[i]] = e.ranks.rank[i];
      change += count;
      return ranks;
    };
    e.t.forEach((t, i) => {
      if (i) row = next(2 * i - 1);
      const before = row;
      row = next(2 * i);
      const changed = () => Array.from(row.keys()).filter((at) => row[at] !== before[at]);
      this.events.push({
        t, threshold: e.threshold[i], allowed: e.allowed[i], total: e.total[i], params: e.params[i], bytes: e.bytes[i],
        rule: Array.isArray(e.rule) ? e.rule[i] : e.rule, chosen: e.chosen ? Array.from(e.chosen.subarray(chosen, chosen + e.chosen_count[i])) : changed(),
        before, ranks: row, late: Boolean(e.late[i]), scores: NO_SCORES, units: NO_SCORES, unitMatrix: NO_SCORES,
      });
      if (e.chosen) chosen += e.chosen_count[i];
    });
  }

  // Pieces of payloads (triadapt/views/pieces.py), which follow one another; a payload is put in place when it is whole.
  // known: how many events were there before this frame.
  #collect(pieces, n, known) {
    let at = 0;
    pieces.t.forEach((t, i) => {
      const key = `${pieces.kind[i]} ${t}`;
      const held = this.partial.get(key) || {bytes: new Uint8Array(pieces.size[i]), filled: 0};
      const count = pieces.count[i];
      held.bytes.set(pieces.data.subarray(at, at + count), held.filled);
      held.filled += count;
      at += count;
      if (held.filled < held.bytes.length) this.partial.set(key, held);
      else {
        this.partial.delete(key);
        this.#put(PIECE_KINDS[pieces.kind[i]], t, held.bytes.buffer, n, known);
      }
    });
  }

  #put(kind, t, bytes, n, known) {
    if (kind === "geometry") {
      const ranks = new Uint16Array(bytes, 0, n);
      const values = fromHalves(new Uint16Array(bytes, 2 * n));
      const singular = ranks.reduce((sum, rank) => sum + rank, 0);
      this.#late(this.geometry, t);
      put(this.geometry, {t, ranks, singular: values.subarray(0, singular), core: values.subarray(singular)});
      return;
    }
    const scores = new Float32Array(bytes, 0, n);
    if (kind === "scores") {
      this.#late(this.scores, t);
      put(this.scores, {t, scores});
      return;
    }
    const at = lastAtOrBefore(this.events, t);
    const event = this.events[at];
    if (!event || event.t !== t) return;
    if (at < known) this.fills += 1;
    const owned = kind === "rank with owners";
    const count = (bytes.byteLength - 4 * n) / (owned ? 6 : 4);
    const units = new Float32Array(bytes, 4 * n, count);
    const unitMatrix = owned ? new Uint16Array(bytes, 4 * (n + count), count) : owners(event.before, count);
    Object.assign(event, {late: false, scores, units, unitMatrix});
  }

  // What is put before something that is held already changes what was drawn from it.
  #late(list, t) {
    if (list.length && list.at(-1).t >= t) this.fills += 1;
  }
}

// The matrix of each of its parts, as many as its rank says; none where there are no parts.
function owners(ranks, count) {
  const matrix = new Uint16Array(count);
  if (count) ranks.reduce((from, rank, i) => matrix.fill(i, from, from + rank) && from + rank, 0);
  return matrix;
}

// Value at a step of what is known at the steps `known`, straight in between; null where nothing is known.
export function between(known, values, step) {
  if (!known.length) return null;
  const at = known.findLastIndex((t) => t <= step);
  if (at < 0) return values[0];
  if (at === known.length - 1) return values[at];
  return values[at] + ((step - known[at]) / (known[at + 1] - known[at])) * (values[at + 1] - values[at]);
}

// Put an item into a list ordered by `t`, in place of one with the same `t`.
function put(list, item) {
  const at = lastAtOrBefore(list, item.t);
  const same = at >= 0 && list[at].t === item.t;
  list.splice(same ? at : at + 1, same ? 1 : 0, item);
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

// All runs in view. `apply` says what a frame did: {fresh, changed, missing}. Frames of a server are numbered; one that
// does not follow on the last is missing something, for Streamlit may drop what newer data overtook. `copy` names the full copy
// that the others follow on.
export class Held {
  constructor() {
    this.view = null;
    this.copy = undefined;
    this.number = 0;
    this.runs = [];
    this.extras = {};
  }

  apply(frame) {
    const fresh = frame.view !== this.view;
    const {number, copy} = frame;
    if (number && !fresh) {
      if (number === this.number && copy === this.copy) return {fresh: false, changed: false, missing: false};
      if (!frame.full && (number !== this.number + 1 || copy !== this.copy)) return {fresh: false, changed: false, missing: true};
    }
    this.number = number;
    this.copy = copy;
    this.extras = {...(fresh ? {} : this.extras), ...frame};
    delete this.extras.runs;
    if (fresh || frame.full) {
      this.view = frame.view;
      this.runs = [];
    }
    let changed = fresh || frame.full;
    let missing = false;
    const tables = (frame.matrices || []).map(matrixList);
    for (const part of frame.runs) {
      if (part.started && !Array.isArray(part.started.matrices)) part.started.matrices = tables[part.started.matrices];
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
        if (part.to > run.to || part.pieces) changed = true;
        if (part.to > run.to || part.started || part.pieces) run.append(part);
      } else if (part.to > run.to) missing = true;
      run.told = Math.max(run.told, part.to);
      if (part.step) run.toldStep = part.step.t ? part.step.t.at(-1) : part.step.first + part.step.loss.length - 1;
      run.setStatus(part.status);
    }
    return {fresh, changed, missing};
  }

  get total() {
    return Math.max(1, ...this.runs.map((run) => (run.started ? run.started.total_step : 0)));
  }

  // What stands beside a run for comparison, such as its parent, does not say where the end is.
  get last() {
    const own = this.runs.filter((run) => !run.status.beside);
    return Math.max(-1, ...(own.length ? own : this.runs).map((run) => run.last));
  }

  get points() {
    return this.runs.reduce((sum, run) => sum + run.step.t.length, 0);
  }
}
