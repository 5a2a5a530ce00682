// The inputs of the lab: a slider and a field for each number, both the browser's own, so that nothing waits for the server.
import {DASH_ARRAYS, element} from "../board/theme.js";
import {numberField} from "./number_field.js";

const SCHEDULE = ["reference_rank", "warmup", "interval", "steps"];
const GROWTH = ["top_h", "add_r"];
const ADALORA = ["adalora.init_rank_ratio", "adalora.final_share"];
const OWN_MODEL = "own";

export class Controls {
  // spec: what Python says of the inputs; change(values): the visitor changed some.
  constructor(spec, change) {
    this.spec = spec;
    this.change = change;
    const field = (key) => numberField(spec.numbers[key], (value) => change({[key]: value}));
    this.fields = Object.fromEntries(Object.keys(spec.numbers).map((key) => [key, field(key)]));
    const rows = (keys) => keys.map((key) => this.fields[key].row);
    this.methods = element("div", {className: "lab-choice lab-methods", role: "group"});
    this.methods.setAttribute("aria-label", "Methods");
    this.growth = this.#choice("growth", "Growth mode", {
      linear: ["linear", "The gap times the share of the steps that are over may grow at an event"],
      "non-linear": ["non-linear", "Few matrices may grow at the first events, many at the last"],
      fixed: ["fixed", "Top h matrices may grow at every event"],
    });
    this.modes = this.#switch("all three modes", "Draw the three growth modes of TriAdaptLoRA at once", (on) => change({modes: on ? "all" : "one"}));
    this.task = this.#select("Matrices of", "Whose matrices the schedule is for", {...spec.tasks, [OWN_MODEL]: "my own model"}, (task) => change(this.#onto(task)));
    this.modules = element("textarea", {className: "lab-modules", rows: 3, spellcheck: false, ariaLabel: "Modules of a layer", title: "The linear modules of one layer, each with the sizes of its two sides"});
    this.modules.addEventListener("input", () => change({modules: this.modules.value}));
    this.known = this.#select("Like", "Fill in layers and modules of a model that is known here", {"": "a known model…", ...Object.fromEntries(Object.keys(spec.known).map((name) => [name, name]))}, (name) => {
      if (!name) return;
      const [layers, modules] = spec.known[name];
      change({layers, modules});
      this.known.input.value = "";
    });
    this.unread = element("p", {className: "lab-unread", role: "alert"});
    this.own = element("div", {}, this.known.row, element("label", {className: "lab-stack"}, "Modules of a layer, in x out", this.modules), this.unread);
    this.matrices = element("p", {className: "lab-said"});
    this.from = this.#choice("from", "Steps are", {
      steps: ["typed", "Type the number of optimizer steps"],
      epochs: ["counted from epochs", "Count the steps from epochs, rows and batch size, as a Trainer does"],
    });
    this.drop = this.#switch("drop the last batch", "Leave out the batch at the end of an epoch that is not full", (on) => change({drop_last: on ? "yes" : "no"}));
    this.counted = element("div", {className: "lab-numbers"}, ...rows(["epochs", "rows", "batch", "accumulation", "processes"]), this.drop);
    this.counting = element("p", {className: "lab-said", dataset: {testid: "lab-counting"}});
    this.behaviour = this.#choice("behaviour", "Decides", {
      improved: ["improved", "The budget is counted in ranks and never exceeded"],
      reference: ["as published", "Decide as the code of the authors does"],
    });
    this.section = element("div", {className: "lab-controls"},
      group("", this.methods, ...rows(SCHEDULE)),
      group("Growth", this.growth.row, this.modes, ...rows(GROWTH)),
      group("AdaLoRA", ...rows(ADALORA)),
      group("Matrices", this.task.row, this.fields.layers.row, this.own, this.matrices),
      group("Training", this.from.row, this.counted, this.counting),
      element("details", {className: "lab-group"}, element("summary", {title: "Show what is seldom changed"}, "More"), ...rows(["alpha"]), this.behaviour.row),
    );
  }

  // Show these values; meant: {steps, matrices, unread}, of which unread says what cannot be read of the modules.
  sync(values, meant, theme, colours) {
    const {fields} = this;
    fields.steps.limit(this.spec.numbers.steps.slider);
    for (const key of ["warmup", "interval"]) fields[key].limit(Math.max(10, Math.round(1.1 * meant.steps)));
    fields.top_h.limit(Math.min(this.spec.numbers.top_h.slider, Math.max(2, meant.matrices)));
    for (const [key, field] of Object.entries(fields)) field.show(key === "steps" ? meant.steps : values[key]);
    const counted = values.from === "epochs";
    fields.steps.disable(counted);
    fields.layers.disable(values.task === "text");
    this.counted.hidden = !counted;
    this.counting.hidden = !counted;
    this.own.hidden = values.task !== OWN_MODEL;
    if (this.modules.value !== values.modules) this.modules.value = values.modules;
    this.task.input.value = values.task;
    for (const name of ["growth", "from", "behaviour"]) this[name].show(values[name]);
    this.modes.firstChild.checked = values.modes === "all";
    this.drop.firstChild.checked = values.drop_last === "yes";
    this.modules.toggleAttribute("aria-invalid", Boolean(meant.unread));
    this.unread.textContent = meant.unread;
    this.matrices.textContent = meant.unread ? "" : `${meant.matrices.toLocaleString("en")} matrices`;
    this.#drawMethods(values, theme, colours);
  }

  #drawMethods(values, theme, colours) {
    const key = JSON.stringify([values.method, colours]);
    if (this.drawn === key) return;
    this.drawn = key;
    this.methods.replaceChildren(...this.spec.methods.map(({name, label, dash}) => {
      const on = values.method.includes(name);
      const chip = element("button", {type: "button", className: "lab-chip", title: "Draw this method, or leave it out"});
      chip.innerHTML = `<svg class="lab-swatch" width="26" height="8"><path d="M0 4H26" stroke="${colours[name]}" stroke-width="3" stroke-dasharray="${DASH_ARRAYS[dash]}"/></svg>`;
      chip.append(label);
      chip.setAttribute("aria-pressed", on);
      const names = this.spec.methods.map((one) => one.name).filter((one) => (one === name ? !on : values.method.includes(one)));
      chip.addEventListener("click", () => this.change({method: names}));
      return chip;
    }));
  }

  // Layers that suit the matrices chosen.
  #onto(task) {
    const known = this.spec.layers[task];
    return known === undefined ? {task} : {task, layers: known};
  }

  #choice(name, label, options) {
    const buttons = Object.entries(options).map(([value, [text, title]]) => {
      const button = element("button", {type: "button", title}, text);
      button.dataset.value = value;
      button.addEventListener("click", () => this.change({[name]: value}));
      return button;
    });
    const choice = element("div", {className: "lab-choice", role: "group"}, ...buttons);
    choice.setAttribute("aria-label", label);
    return {
      row: element("div", {className: "lab-stack"}, label, choice),
      show: (chosen) => { for (const button of buttons) button.setAttribute("aria-pressed", button.dataset.value === chosen); },
    };
  }

  #select(label, title, options, chosen) {
    const input = element("select", {title}, ...Object.entries(options).map(([value, text]) => element("option", {value}, text)));
    input.addEventListener("change", () => chosen(input.value));
    return {input, row: element("label", {className: "lab-stack"}, label, input)};
  }

  #switch(label, title, turned) {
    const box = element("input", {type: "checkbox", title});
    box.addEventListener("change", () => turned(box.checked));
    return element("label", {className: "lab-switch"}, box, label);
  }
}

function group(title, ...parts) {
  return element("fieldset", {className: "lab-group"}, ...(title ? [element("legend", {}, title)] : []), ...parts);
}
