// Predict, then reveal: a question whose answer the reader commits to before the picture shows it.
import {element} from "../board/theme.js";
import {inline} from "./say.js";

let number = 0;

export class Ask {
  // id: kept by. question: text. options: [value, text] each. truth(): the right value, or null while nobody knows yet; asked
  // when the reader has picked. reveal(picked, right): what is said then, and what else happens.
  constructor(stage, {id, question, options, truth, reveal, label = "Predict"}) {
    Object.assign(this, {stage, id, options, truth, reveal});
    this.name = `ln-ask-${(number += 1)}`;
    this.inputs = options.map(([value]) => element("input", {type: "radio", name: this.name, value: String(value)}));
    this.button = element("button", {type: "button", className: "ln-go", disabled: true, title: "Commit to this answer and see what is true"}, "That is my guess");
    this.said = element("div", {className: "ln-said", role: "status", tabIndex: -1});
    const list = options.map(([, text], i) => element("label", {}, this.inputs[i], element("span", {}, ...inline(text, stage.pages))));
    this.node = element("fieldset", {className: "ln-ask", dataset: {testid: `ask-${id}`}},
      element("legend", {}, label), element("p", {}, ...inline(question, stage.pages)), element("div", {className: "ln-options"}, ...list), this.button, this.said);
    for (const input of this.inputs) input.addEventListener("change", () => { this.button.disabled = false; });
    this.button.addEventListener("click", () => this.#answer());
    const before = stage.memory.answer(id);
    if (before && options.some(([value]) => value === before.picked)) this.#show(before.picked, false);
  }

  get picked() {
    const at = this.inputs.findIndex((input) => input.checked);
    return at < 0 ? null : this.options[at][0];
  }

  #answer() {
    const {picked} = this;
    if (picked === null) return;
    this.#show(picked, true);
    this.said.focus({preventScroll: true}); // the button that had the focus is gone
  }

  // Once the truth is known; lessons that must first run something call `settle` when it has run.
  #show(picked, fresh) {
    const right = this.truth(picked);
    this.inputs.forEach((input, i) => {
      input.checked = this.options[i][0] === picked;
      input.disabled = true;
    });
    this.button.hidden = true;
    if (right === null) {
      this.waiting = {picked, fresh};
      this.said.textContent = "Noted. Now see what happens.";
      if (this.onPicked) this.onPicked(picked);
      return;
    }
    this.waiting = null;
    this.shown = picked;
    const hit = right === picked;
    if (fresh) this.stage.memory.note(this.id, {picked, points: hit ? 1 : 0, of: 1});
    this.node.dataset.hit = String(hit);
    this.inputs.forEach((input, i) => { input.closest("label").dataset.right = String(this.options[i][0] === right); });
    const text = this.reveal(picked, right) || "";
    this.said.replaceChildren(element("strong", {}, hit ? "Right. " : "Not so. "), ...inline(text, this.stage.pages));
    this.settled = true;
  }

  settle() {
    if (this.waiting) this.#show(this.waiting.picked, this.waiting.fresh);
    else if (this.shown !== undefined && this.truth(this.shown) !== null) this.#show(this.shown, false); // of another run now
  }
}
