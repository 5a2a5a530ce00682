// How often panels draw what came by itself. Together they take a share of the time at most, however slow the machine is and
// whatever else it does, for training may run on it too. What the visitor does is drawn at once.

const PATIENT = new Set(["data", "step", "settle"]); // reasons that come with a refresh; a step chosen by hand brings "hand"
const SAVED_MS = 240; // drawing that time without any may make up for: about all panels once
const OWED_MS = 400;

export class Pace {
  static share = 0.08; // of the time; Infinity: nothing waits

  constructor() {
    this.credit = SAVED_MS;
    this.at = 0;
  }

  // Takes out of `waiting`, for which a panel has to draw, what it draws for now. A panel without a chart is quickly drawn.
  due(panel, waiting, now) {
    const all = !panel.holder || waiting.has("hand") || this.#left(now) <= 0;
    const reasons = new Set([...waiting].filter((reason) => all || !PATIENT.has(reason)));
    for (const reason of reasons) waiting.delete(reason);
    return reasons;
  }

  // Milliseconds until a panel with something to draw may do so.
  wait(panel, waiting, now) {
    return panel.holder && [...waiting].every((reason) => PATIENT.has(reason)) ? this.#left(now) : 0;
  }

  // Milliseconds between two drawings that take `ms` each, if they are to take a quarter of the share.
  static apart(ms) {
    return (4 * ms) / Pace.share;
  }

  // A panel has drawn for so long.
  spent(ms, now) {
    this.#left(now);
    this.credit = Math.max(-OWED_MS, this.credit - ms);
  }

  #left(now) {
    if (Pace.share === Infinity) return 0;
    this.credit = Math.min(SAVED_MS, this.credit + (now - this.at) * Pace.share);
    this.at = now;
    return Math.max(0, -this.credit / Pace.share);
  }
}
