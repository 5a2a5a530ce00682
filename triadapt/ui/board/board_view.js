// What a visitor chose to look at: step, pin, focus, zoom, axes. It stands in the address, so that a link reopens it, and in
// the tab's memory, so that leaving the page and coming back loses nothing. No message to the server.

import {matrixLabel} from "./theme.js";
import {X_KINDS} from "./time_axis.js";

const WRITE_MS = 250;
const STORE = "triadapt board ";
const PIN = "triadapt pin"; // of the tab: it goes along from page to page
const PREFIX = "v."; // of the board's names in the address; the pages leave these alone

export class BoardView {
  constructor() {
    this.parts = new Map();
    this.timer = 0;
    this.first = true;
    this.name = null;
    this.carried = "";
    this.refused = []; // a line for each thing in the address that is nonsense
  }

  // A part of the view: `get` returns text, or null for what needs no words; `set` takes text that may be nonsense, and returns
  // false where it is. That of the pin has `fits`, too: whether there is such a matrix.
  keep(name, part) {
    this.parts.set(PREFIX + name, part);
  }

  // The board turns to a race: take up what the address says on arrival, or what this tab looked at there before.
  // Returns whether there was anything.
  enter(name) {
    this.flush();
    this.name = name;
    const address = new URLSearchParams(window.location.search);
    const named = address.get("run");
    const arriving = this.first;
    const fromAddress = arriving && (named === null || named === name) && [...this.parts.keys()].some((key) => address.has(key));
    this.first = false;
    const known = fromAddress ? address : new URLSearchParams(readTab(STORE + name));
    const found = [...this.parts.keys()].filter((key) => known.has(key));
    const wrong = found.filter((key) => this.parts.get(key).set(known.get(key).slice(0, 100)) === false);
    this.refused = fromAddress ? wrong.map((key) => `${key} = '${known.get(key).slice(0, 40)}' in the address: not possible here; left out`) : [];
    if (arriving && (named === null || named === name)) {
      const foreign = new Set([...address.keys()].filter((key) => key.startsWith(PREFIX) && !this.parts.has(key)));
      for (const key of foreign) this.refused.push(`${key.slice(0, 40)} in the address: unknown, left out`);
    }
    this.carried = arriving && !fromAddress ? readTab(PIN) : "";
    this.adoptPin();
    this.changed();
    return found.length > 0;
  }

  // The pin that came along from another page, as soon as it is known that there is such a matrix.
  adoptPin() {
    const pin = this.parts.get(`${PREFIX}pin`);
    if (!this.carried || !pin.fits(this.carried)) return;
    pin.set(this.carried);
    this.carried = "";
    this.changed();
  }

  // The visitor pinned a matrix; null: let go of it.
  pinned(label) {
    this.carried = "";
    writeTab(PIN, label || "");
    this.changed();
  }

  set(name, value) {
    this.parts.get(PREFIX + name).set(value);
    this.changed();
  }

  // Something was chosen: write it down soon.
  changed() {
    if (this.name !== null && !this.timer) this.timer = setTimeout(() => this.flush(), WRITE_MS);
  }

  // Written at once. Also called at every refresh: Streamlit rewrites the address as it last knew it.
  flush() {
    clearTimeout(this.timer);
    this.timer = 0;
    if (this.name === null) return;
    const own = new URLSearchParams();
    const address = new URLSearchParams(window.location.search);
    const before = address.toString();
    for (const [key, part] of this.parts) {
      const value = part.get();
      address.delete(key);
      if (value === null || value === undefined) continue;
      own.set(key, String(value));
      address.set(key, String(value));
    }
    writeTab(STORE + this.name, own.toString());
    if (address.toString() === before) return;
    const query = address.toString();
    try {
      window.history.replaceState(window.history.state, "", `${window.location.pathname}${query ? `?${query}` : ""}${window.location.hash}`);
    } catch { /* a file opened from disk, in some browsers */ }
  }

  close() {
    clearTimeout(this.timer);
  }
}

// A choice of a panel: `panel[key]` is one of `values`. What it is to begin with needs no words.
export function keepChoice(board, name, panel, key, values) {
  const usual = panel[key];
  board.view.keep(name, {
    get: () => (panel[key] === usual ? null : String(panel[key])),
    set: (text) => {
      const found = values.find((value) => String(value) === text);
      if (found === undefined) return false;
      panel[key] = found;
      return true;
    },
  });
}

// What of the board is in the address. Values come from anywhere: what is not possible is refused.
export function keepBoardView(board) {
  const {view} = board;
  const number = (text) => (text !== "" && Number.isFinite(Number(text)) ? Number(text) : null);
  view.keep("at", {
    get: () => (board.following || board.scrubber.playing ? null : board.step),
    set: (text) => {
      const step = number(text);
      if (step === null || step < 0) return false;
      board.step = Math.round(step);
      board.following = false;
      return true;
    },
  });
  view.keep("pin", {
    get: () => (board.pinChosen ? board.pinned : null),
    set: (text) => {
      if (!/^L\d+\.[\w.]+$/.test(text)) return false;
      board.pinned = text;
      board.pinChosen = true;
      return true;
    },
    fits: (text) => board.runs.some((run) => run.started && run.started.matrices.some((matrix) => matrixLabel(matrix) === text)),
  });
  view.keep("focus", {get: () => board.focusId, set: (text) => { board.focusId = text; }});
  view.keep("x", {
    get: () => (board.xKind === "step" ? null : board.xKind),
    set: (text) => {
      if (!Object.hasOwn(X_KINDS, text)) return false;
      board.xKind = text;
      return true;
    },
  });
  view.keep("zoom", {
    get: () => (board.zoom ? board.zoom.map((value) => Number(value.toPrecision(5))).join("_") : null),
    set: (text) => {
      const range = text.split("_").map(number);
      if (range.length !== 2 || !range.every((value) => value !== null) || range[0] >= range[1]) return false;
      board.zoom = range;
      return true;
    },
  });
}

// The tab's memory may be forbidden; then only the address remembers.
function readTab(key) {
  try {
    return window.sessionStorage.getItem(key) || "";
  } catch {
    return "";
  }
}

function writeTab(key, text) {
  try {
    window.sessionStorage.setItem(key, text);
  } catch { /* forbidden or full */ }
}
