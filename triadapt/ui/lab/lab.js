// The schedule lab: inputs, picture, findings and event table in one component. A moved slider is answered here, in the next
// frame; the server hears of it a moment later and says what speaks against it.
import {applyTheme, element, mixColours, readTheme} from "../board/theme.js";
import {Controls} from "./controls.js";
import {targetMatrices, trainerSteps} from "./counting.js";
import {Findings} from "./findings.js";
import {parametersAlong} from "./parameters.js";
import {Picture} from "./picture.js";
import {plan} from "./schedule.js";
import {EventTable} from "./table.js";

const SEND_MS = 180;
const TABLE_MS = 200; // after the last move: two hundred rows are not worth a frame
const MODES = ["linear", "non-linear", "fixed"];

export class Lab {
  constructor(root, spec, send) {
    this.root = root;
    this.spec = spec;
    this.send = send;
    this.turn = 0;
    this.answer = null;
    root.classList.add("tri-lab");
    const change = (changes) => this.change(changes);
    this.controls = new Controls(spec, change);
    this.picture = new Picture();
    this.findings = new Findings(change);
    this.table = new EventTable();
    this.main = element("div", {className: "lab-main"}, this.picture.section, this.findings.section, this.table.section);
    root.replaceChildren(this.controls.section, this.main);
    this.#watch();
  }

  // Values from the server: on arrival, and when the visitor goes back or forward.
  adopt(values) {
    this.values = values;
    this.turn += 1;
    this.touch();
  }

  heard(answer, turn) {
    this.answer = answer;
    this.answered = turn;
    this.touch();
  }

  change(changes) {
    this.values = {...this.values, ...changes};
    this.turn += 1;
    clearTimeout(this.sending);
    this.sending = setTimeout(() => this.send({...this.values, turn: this.turn}), SEND_MS);
    this.touch();
  }

  touch() {
    if (!this.frame && !this.gone) this.frame = requestAnimationFrame(() => { this.frame = 0; this.#draw(); });
  }

  #draw() {
    if (this.gone || !this.values || !this.root.clientWidth) return;
    const begun = performance.now();
    const {values, spec} = this;
    const theme = readTheme(this.root);
    if (JSON.stringify(theme) !== JSON.stringify(this.theme)) { this.theme = theme; applyTheme(this.root, theme); }
    const meant = this.#meant();
    const colours = Object.fromEntries(spec.methods.map(({name, colour}) => [name, theme.dark ? mixColours(colour, "#ffffff", 0.22) : colour]));
    this.lines = this.#lines(colours, theme, meant);
    const stale = this.answered !== this.turn;
    this.controls.sync(values, {steps: meant.steps, matrices: meant.matrices.count, unread: this.#unread(meant, stale)}, theme, colours);
    this.picture.draw(this.lines, values, meant.steps, theme);
    this.main.toggleAttribute("data-before", !meant.read);
    this.findings.draw(this.answer, stale, this.lines.length);
    if (this.answer && !stale) this.controls.counting.textContent = this.answer.counting;
    clearTimeout(this.tabling);
    this.tabling = setTimeout(() => this.table.draw(this.lines), TABLE_MS);
    this.took = performance.now() - begun;
    this.root.dataset.turn = this.turn;
    this.root.dataset.answered = this.answered;
  }

  // Steps and matrices of the values; while something cannot be read, those of before.
  #meant() {
    const {values, spec} = this;
    const steps = values.from === "epochs" ? trainerSteps(values) : values.steps;
    const matrices = targetMatrices(values.layers, values.task === "own" ? values.modules : spec.modules[values.task]);
    const before = this.held || {steps: values.steps, matrices: targetMatrices(values.layers, spec.modules.planted)};
    this.held = {steps: steps || before.steps, matrices: matrices || before.matrices};
    return {...this.held, modules: Boolean(matrices), read: Boolean(steps && matrices)};
  }

  // Why the modules cannot be read, in the server's words as soon as they are there.
  #unread({modules}, stale) {
    if (modules) return "";
    const line = stale || !this.answer ? null : this.answer.problems.find((one) => /^(modules|layers) = /.test(one));
    return (line || "This is no list of modules yet").replace(/^modules = /, "");
  }

  #lines(colours, theme, {steps, matrices}) {
    const {values, spec} = this;
    const lines = [];
    for (const {name, label, dash, allocation} of spec.methods) {
      if (!values.method.includes(name)) continue;
      const modes = name === "triadaptlora" && values.modes === "all" ? MODES : [values.growth];
      for (const growth of modes) {
        const seen = plan(values, {method: name, growth, allocation}, steps, matrices.count);
        lines.push({
          label: name === "triadaptlora" ? `${label} (${growth})` : label,
          colour: modes.length > 1 ? shade(colours[name], growth, theme) : colours[name],
          dash, width: 2.2, seen,
          counts: parametersAlong(seen, matrices.shapes, values.add_r, values.reference_rank),
        });
      }
    }
    return lines;
  }

  #watch() {
    this.sizes = new ResizeObserver(() => this.touch());
    this.sizes.observe(this.picture.section);
    this.themes = new MutationObserver(() => this.touch());
    for (let node = this.root.parentNode; node; node = node.parentNode || node.host) {
      if (node instanceof Element) this.themes.observe(node, {attributes: true, attributeFilter: ["style", "class", "data-theme"]});
    }
  }

  destroy() {
    this.gone = true;
    for (const timer of [this.sending, this.tabling]) clearTimeout(timer);
    cancelAnimationFrame(this.frame);
    this.sizes.disconnect();
    this.themes.disconnect();
    this.root.replaceChildren();
  }
}

// The three modes of one method: shades of its colour, all of them away from the background.
function shade(colour, growth, theme) {
  const [end, shares] = theme.dark ? ["#ffffff", {"non-linear": 0.45, fixed: 0.8}] : ["#000000", {fixed: 0.5}];
  if (growth === "non-linear" && !theme.dark) return mixColours(colour, "#ffffff", 0.42);
  return growth in shares ? mixColours(colour, end, shares[growth]) : colour;
}

// Entry of a Streamlit component (v2), called again with every answer of the server.
export default function mountLab({parentElement, data, setStateValue}) {
  let mount = parentElement.triLab;
  if (!mount) {
    const root = document.createElement("div");
    parentElement.append(root);
    mount = {root, visit: null};
    mount.lab = new Lab(root, data.spec, (values) => mount.tell("values", {...values, visit: mount.visit}));
    parentElement.triLab = mount;
    linkStyle(root);
  }
  mount.tell = setStateValue;
  const {lab} = mount;
  if (mount.visit !== data.visit) {
    mount.visit = data.visit;
    lab.adopt(data.values);
    lab.heard(data.answer, lab.turn);
  } else if (data.turn !== null) lab.heard(data.answer, data.turn);
  const mounted = mount.mounted = (mount.mounted || 0) + 1;
  return () => setTimeout(() => {
    if (root(mount).isConnected || mount.mounted !== mounted) return; // a newer call has taken over
    lab.destroy();
    delete parentElement.triLab;
  }, 0);
}

const root = (mount) => mount.root;

function linkStyle(node) {
  const tree = node.getRootNode();
  const home = tree instanceof ShadowRoot ? tree : document.head;
  if (home.querySelector("link[data-tri-lab]")) return;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.dataset.triLab = "";
  link.href = new URL("./lab.css", import.meta.url).href;
  home.append(link);
}
