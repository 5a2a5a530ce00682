// What a lesson is built on: beats of text beside a picture, questions, sliders, and the race that the server trains or has
// recorded. A lesson module exports `build(stage)`.
import {element} from "../board/theme.js";
import {Ask} from "./ask.js";
import {say} from "./say.js";

export class Stage {
  // learn: the page. spec: what the server says of this lesson.
  constructor(learn, spec) {
    Object.assign(this, {learn, spec, memory: learn.memory, pages: learn.pages});
    this.node = element("div", {className: "ln-stage"});
    this.pictures = [];
    this.waiting = [];
    this.asks = [];
  }

  // The newest that the server has sent for this lesson, or null.
  get data() { return this.learn.dataOf(this.spec.slug); }

  // A beat: text on one side, whatever shows it on the other.
  beat(title, text, ...shown) {
    const words = element("div", {className: "ln-words"}, ...(title ? [element("h3", {}, title)] : []), ...say(text, this.pages));
    this.#markTerms(words);
    const picture = element("div", {className: "ln-shown"}, ...shown.map((one) => this.#nodeOf(one)));
    const section = element("section", {className: `ln-beat${shown.length ? "" : " ln-alone"}`}, words, ...(shown.length ? [picture] : []));
    this.node.append(section);
    return {section, words, shown: picture, add: (...more) => words.append(...more.map((one) => this.#nodeOf(one)))};
  }

  // A strong word that stands in the glossary explains itself, and leads to where it can be played with.
  #markTerms(words) {
    for (const strong of words.querySelectorAll("strong")) {
      const term = strong.textContent.toLowerCase();
      if (!this.learn.spec.glossary[term]) continue;
      Object.assign(strong, {className: "ln-term", tabIndex: 0});
      strong.setAttribute("role", "button");
      strong.dataset.term = term;
    }
  }

  #nodeOf(one) {
    if (one.drawBody) this.pictures.push(one);
    return one.node || one;
  }

  // Puts a picture under this stage's care without a place of its own.
  keep(picture) {
    this.pictures.push(picture);
    return picture.node;
  }

  say(text) { return say(text, this.pages); }

  ask(options) {
    const ask = new Ask(this, {...options, id: `${this.spec.slug}/${options.id}`});
    this.asks.push(ask);
    return ask;
  }

  // A slider with its value beside it; changed(value) on every move.
  slider(label, {min, max, step = 1, value, name, format = String, help}, changed) {
    const input = element("input", {type: "range", min, max, step, title: help || label});
    input.value = value;
    input.setAttribute("aria-label", label);
    if (name) input.dataset.name = name;
    const shown = element("output", {}, format(Number(value)));
    input.addEventListener("input", () => {
      shown.textContent = format(Number(input.value));
      changed(Number(input.value));
      this.draw();
    });
    const node = element("label", {className: "ln-slider"}, element("span", {}, label), input, shown);
    const set = (next, extra = {}) => {
      Object.assign(input, extra);
      input.value = next;
      shown.textContent = format(Number(input.value));
    };
    return {node, input, set};
  }

  // A row of choices of which one holds; changed(value).
  choice(label, options, value, changed) {
    const buttons = options.map(([key, text]) => {
      const button = element("button", {type: "button", dataset: {choice: String(key)}, title: `${label}: ${text}`}, text);
      button.addEventListener("click", () => {
        press(key);
        changed(key);
        this.draw();
      });
      return button;
    });
    const press = (key) => options.forEach(([one], i) => buttons[i].setAttribute("aria-pressed", String(one === key)));
    press(value);
    const node = element("div", {className: "ln-choice", role: "group"}, element("span", {}, label), ...buttons);
    node.setAttribute("aria-label", label);
    return {node, press};
  }

  button(text, help, pressed, className = "ln-go") {
    const node = element("button", {type: "button", className, title: help}, text);
    node.addEventListener("click", () => {
      pressed();
      this.draw();
    });
    return node;
  }

  // Called once the lesson is built and data are there, and whenever the server has sent something new.
  onData(listener) {
    this.waiting.push(listener);
  }

  heard() {
    if (this.data) for (const listener of this.waiting) listener(this.data);
    this.draw();
  }

  draw() {
    for (const picture of this.pictures) picture.draw(this.learn.theme);
    if (this.redraw) this.redraw(this.learn.theme);
  }
}
