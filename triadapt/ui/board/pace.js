// How often panels draw what came by itself. Together they take a share of the time at most, however slow the machine is and
// whatever else it does, for training may run on it too. What the visitor does is drawn at once.

const PATIENT = new Set(["data", "step", "settle"]); // reasons that come with a refresh; a step chosen by hand brings "hand"
const CHEAP_MS = 4;
const LONGEST_MS = 6000;

export class Pace {
  static share = 0.08; // of the time, for all panels on view together; Infinity: nothing waits

  constructor() {
    this.free = new Map();
  }

  // Takes out of `waiting`, for which a panel has to draw, what it draws for now.
  due(panel, waiting, now) {
    const all = waiting.has("hand") || this.#left(panel, now) <= 0;
    const reasons = new Set([...waiting].filter((reason) => all || !PATIENT.has(reason)));
    for (const reason of reasons) waiting.delete(reason);
    return reasons;
  }

  // Milliseconds until a panel with something to draw may do so.
  wait(panel, waiting, now) {
    return [...waiting].every((reason) => PATIENT.has(reason)) ? this.#left(panel, now) : 0;
  }

  // A panel has drawn for so long; `on` panels are on view.
  spent(panel, ms, now, on) {
    if (ms > CHEAP_MS) this.free.set(panel, now + Math.min(LONGEST_MS, (ms * on) / Pace.share));
  }

  #left(panel, now) {
    return (this.free.get(panel) || 0) - now;
  }
}
