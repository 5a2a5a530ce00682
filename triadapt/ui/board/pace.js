// How often panels draw what came by itself. Together they take a share of the time at most, however slow the machine is and
// whatever else it does, for training may run on it too. What the visitor does is drawn at once, but while a hand moves the
// step, or while it plays, panels that take long to draw (`cost`, in milliseconds, the last time that all of their chart was
// drawn, at `drawnAt`) only glance at each step.

const PATIENT = new Set(["data", "step", "settle"]); // reasons that come with a refresh; a step chosen by hand brings "hand"
const SAVED_MS = 240; // drawing that time without any may make up for: about all panels once
const OWED_MS = 400;
const QUICK_MS = 8; // a drawing that fits into an animation frame with those of other panels
const REST_MS = 120; // without a move of the hand
const PLAY_APART = 8; // times its cost between two drawings of a slow panel while it plays

export class Pace {
  static share = 0.08; // of the time, beside a training; Infinity: nothing waits
  static calm = 0.4; // of the time, when none is under way

  constructor() {
    this.credit = SAVED_MS;
    this.at = 0;
    this.movedAt = -Infinity; // when the step was last moved by hand
    this.playing = false;
    this.busy = false; // a training is under way, perhaps on this machine
  }

  // Takes out of `waiting`, for which a panel has to draw, what it draws for now. A panel without a chart is quickly drawn.
  due(panel, waiting, now) {
    const hand = waiting.has("hand");
    const all = hand ? !this.#unrest(panel, now) : !panel.holder || this.#left(now) <= 0;
    const reasons = new Set([...waiting].filter((reason) => all || (reason !== "hand" && !PATIENT.has(reason))));
    for (const reason of reasons) waiting.delete(reason);
    return reasons;
  }

  // Milliseconds until a panel with something to draw may do so.
  wait(panel, waiting, now) {
    if (![...waiting].every((reason) => reason === "hand" || PATIENT.has(reason))) return 0;
    if (waiting.has("hand")) return this.#unrest(panel, now);
    return panel.holder ? this.#left(now) : 0;
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

  // Milliseconds until a panel may draw a step that is not the last one.
  #unrest({cost, drawnAt}, now) {
    if (!(cost > QUICK_MS)) return 0;
    return Math.max(0, this.playing ? drawnAt + PLAY_APART * cost - now : this.movedAt + REST_MS - now);
  }

  #left(now) {
    if (Pace.share === Infinity) return 0;
    const share = this.busy ? Pace.share : Math.max(Pace.share, Pace.calm);
    this.credit = Math.min(SAVED_MS, this.credit + (now - this.at) * share);
    this.at = now;
    return Math.max(0, -this.credit / share);
  }
}
