// What a reader has done, kept in this browser and nowhere else: answers, lessons read, attempts at the capstone. A browser that
// keeps nothing (a private window, a full store) is a reader who begins anew.
const KEY = "triadapt.learn";

function read() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY));
    return found && typeof found === "object" ? found : {};
  } catch {
    return {};
  }
}

export class Memory {
  constructor() {
    const found = read();
    this.answers = plain(found.answers);
    this.done = list(found.done).filter((one) => typeof one === "string");
    this.attempts = list(found.attempts).filter(sound);
    this.listeners = [];
  }

  // The answer given to a question before: {picked, points, of}.
  answer(id) {
    const found = this.answers[id];
    return found && Number.isFinite(found.points) && Number.isFinite(found.of) ? found : null;
  }

  // The first answer counts; what is answered again is for learning.
  note(id, answer) {
    if (!this.answer(id)) this.answers[id] = answer;
    this.#write();
  }

  finish(slug) {
    if (!this.done.includes(slug)) this.done.push(slug);
    this.#write();
  }

  attempt(one) {
    this.attempts = [...this.attempts, one].slice(-50);
    this.#write();
  }

  // {points, of, answers} over everything answered.
  get score() {
    const all = Object.keys(this.answers).map((id) => this.answer(id)).filter(Boolean);
    return {points: sum(all, "points"), of: sum(all, "of"), answers: all.length};
  }

  forget() {
    this.answers = {};
    this.done = [];
    this.attempts = [];
    this.#write(true);
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  // Another tab may have written since: what it knows is kept, but for what was forgotten here.
  #write(forgotten = false) {
    const now = forgotten ? {} : read();
    this.answers = {...this.answers, ...plain(now.answers)};
    this.done = [...new Set([...list(now.done).filter((one) => typeof one === "string"), ...this.done])];
    const known = new Set(this.attempts.map((one) => one.race));
    this.attempts = [...list(now.attempts).filter((one) => sound(one) && !known.has(one.race)), ...this.attempts].slice(-50);
    try {
      localStorage.setItem(KEY, JSON.stringify({answers: this.answers, done: this.done, attempts: this.attempts}));
    } catch {
      // Nothing is kept beyond this page, then.
    }
    for (const listener of this.listeners) listener();
  }
}

const list = (value) => (Array.isArray(value) ? value : []);
const sound = (one) => Boolean(one && one.values && Array.isArray(one.ends) && one.ends.length === 2 && one.ends.every(Number.isFinite));
const plain = (value) => (value && typeof value === "object" && !Array.isArray(value) ? value : {});
const sum = (all, key) => all.reduce((total, one) => total + one[key], 0);
