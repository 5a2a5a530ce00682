// The learn page: lessons to choose from, the one on view, the score. All that a reader does is answered here; the server is asked
// for recorded runs, and for training.
import {unpackFrame} from "../board/frames.js";
import {applyTheme, element, readTheme} from "../board/theme.js";
import {Memory} from "./memory.js";
import {LessonRun} from "./race.js";
import {Stage} from "./stage.js";
import {symbolWords} from "./symbols.js";
import {Tip} from "./tip.js";

export class Learn {
  // tell(name, value): a word to the server.
  constructor(root, tell) {
    Object.assign(this, {root, tell});
    this.memory = new Memory();
    this.held = new Map();
    this.slug = null;
    this.stages = new Map();
    this.turn = Date.now();
    root.classList.add("tri-learn");
    this.nav = element("nav", {className: "ln-nav"});
    this.nav.setAttribute("aria-label", "Lessons");
    this.score = element("p", {className: "ln-score", dataset: {testid: "score"}});
    this.body = element("div", {className: "ln-body"});
    this.foot = element("div", {className: "ln-foot"});
    this.tip = new Tip(root, (target) => this.#explained(target));
    root.replaceChildren(this.nav, this.score, this.body, this.foot, this.tip.node);
    this.memory.onChange(() => this.#drawNav());
    this.#watch();
  }

  // The address of a page of the app; null where this reader has no such page. What a class link carries goes along.
  pages = (to) => {
    const [page, query = ""] = to.split("?");
    if (!this.spec.pages.includes(page)) return null;
    const base = new URL(this.spec.base, window.location.origin).href.replace(/\/$/, "");
    const all = [query, this.spec.code ? `class=${encodeURIComponent(this.spec.code)}` : ""].filter(Boolean).join("&");
    return `${base}/${page === "play" ? "" : page}${all ? `?${all}` : ""}`;
  };

  dataOf(slug) { return this.held.get(slug) || null; }

  get mayTrain() { return this.spec.may_train; }

  // One message of the server (triadapt/views/lessons/message.py).
  push(bytes) {
    const message = unpackFrame(bytes);
    const first = !this.spec;
    this.spec = message.spec;
    if (message.data) {
      const {data} = message;
      for (const kind of ["live", "recorded", "scores_of"]) if (data[kind]) data[kind].runs = data[kind].runs.map((part) => new LessonRun(part));
      this.held.set(message.lesson, data);
    }
    this.refreshTheme();
    // The server leads on arrival and when it says so; from then on the browser does, and an older answer does not turn it back.
    if (first || message.visit !== this.visit) {
      this.visit = message.visit;
      this.#open(message.lesson, false);
    }
    if (message.lesson === this.slug && this.stage?.spec.slug === this.slug) this.#heard(this.stage);
    this.#drawNav();
  }

  go(slug) {
    this.#open(slug, true);
    this.order("lesson", {slug});
  }

  // A word to the server, numbered so that it is heeded once. Returns the number.
  order(name, word) {
    this.turn += 1;
    this.tell(name, {...word, turn: this.turn});
    return this.turn;
  }

  // Ask the server to train a lesson's race. Returns the number of the request, by which the answer is known.
  run(lesson, values) {
    const data = this.dataOf(lesson);
    if (data) data.problem = "";
    return this.order("run", {lesson, values});
  }

  async #open(slug, scroll) {
    this.slug = slug;
    const spec = this.spec.lessons.find((one) => one.slug === slug);
    if (!this.stages.has(slug)) {
      this.body.replaceChildren(element("p", {className: "ln-loading", role: "status"}, "Loading."));
      const stage = new Stage(this, spec);
      this.stages.set(slug, stage);
      try {
        const module = await import(new URL(`./lessons/${spec.module}.js`, import.meta.url).href);
        stage.node.append(element("h2", {}, spec.heading));
        module.build(stage);
        stage.built = true;
      } catch (error) {
        this.stages.delete(slug);
        if (this.slug === slug) this.#failed(slug, error);
        return;
      }
      if (this.gone) return;
    }
    const stage = this.stages.get(slug);
    if (this.slug !== slug || !stage.built) return;
    this.stage = stage;
    this.body.replaceChildren(stage.node);
    this.#drawFoot(spec);
    this.#drawNav();
    if (scroll) {
      this.root.scrollIntoView({block: "start"});
      const heading = stage.node.querySelector("h2");
      heading.tabIndex = -1;
      heading.focus({preventScroll: true});
    }
    requestAnimationFrame(() => this.#heard(stage));
  }

  #failed(slug, error) {
    const again = element("button", {type: "button", className: "ln-go", title: "Load this lesson once more"}, "Try again");
    again.addEventListener("click", () => this.#open(slug, false));
    this.body.replaceChildren(element("p", {className: "ln-problem", role: "alert"}, `This lesson did not load: ${error.message}. `, again));
  }

  // What goes wrong in a lesson stays in that lesson.
  #heard(stage) {
    try {
      stage.heard();
    } catch (error) {
      this.stages.delete(stage.spec.slug);
      this.#failed(stage.spec.slug, error);
      return;
    }
    if (stage.data) this.root.dataset.lesson = stage.spec.slug; // drawn with all that belongs to it
  }

  #drawNav() {
    if (!this.spec) return;
    if (!this.chips) this.#buildNav();
    for (const [slug, {button, mark, one}] of this.chips) {
      const done = this.memory.done.includes(slug);
      button.title = `${one.title}, about ${one.minutes} minutes${done ? "; you have finished it" : ""}`;
      mark.textContent = done ? "✓" : one.mark;
      mark.className = done ? "ln-done" : "";
      button.setAttribute("aria-current", String(slug === this.slug));
    }
    if (this.inSight !== this.slug && this.nav.scrollWidth > this.nav.clientWidth) {
      const {button} = this.chips.get(this.slug);
      this.nav.scrollLeft = button.offsetLeft - this.nav.offsetLeft - 40;
    }
    this.inSight = this.slug;
    const {points, of, answers} = this.memory.score;
    const text = answers ? `Your predictions: ${points} of ${of} right. Kept in this browser only. ` : "Every lesson asks you to predict before it shows. Your score stays in this browser. Point at a symbol or tap it to see what it is.";
    if (this.score.dataset.text === text) return;
    this.score.dataset.text = text;
    this.score.replaceChildren(text, ...(answers ? [this.#forgetButton()] : []));
  }

  #buildNav() {
    this.chips = new Map();
    this.nav.replaceChildren(...this.spec.groups.map(({part, title}) => {
      const buttons = this.spec.lessons.filter((one) => one.part === part).map((one) => {
        const mark = element("b");
        const button = element("button", {type: "button", dataset: {lesson: one.slug}}, mark, element("span", {}, one.title));
        button.addEventListener("click", () => this.go(one.slug));
        this.chips.set(one.slug, {button, mark, one});
        return button;
      });
      return element("div", {className: `ln-group ln-part-${part}`}, ...(title ? [element("h4", {}, title)] : []), element("div", {className: "ln-chips"}, ...buttons));
    }));
  }

  #forgetButton() {
    const button = element("button", {type: "button", className: "ln-link", title: "Forget all answers, ticks and attempts that this browser keeps"}, "Forget my answers");
    button.addEventListener("click", () => {
      if (button.dataset.sure === undefined) {
        button.dataset.sure = "";
        button.textContent = "Press again to forget all of them";
        return;
      }
      this.memory.forget();
      this.stages.clear();
      this.#open(this.slug, false);
    });
    return button;
  }

  // A lesson is done when its questions are answered.
  #tick(slug) {
    const {asks} = this.stage;
    if (asks.every((ask) => ask.shown !== undefined || ask.waiting)) this.memory.finish(slug);
  }

  #drawFoot(spec) {
    const {lessons} = this.spec;
    const at = lessons.findIndex((one) => one.slug === spec.slug);
    const leap = (to, text, className) => {
      if (!to) return element("span");
      const button = element("button", {type: "button", className, title: to.title}, text(to));
      button.addEventListener("click", () => {
        if (className === "ln-go") this.#tick(spec.slug);
        this.go(to.slug);
      });
      return button;
    };
    const last = element("button", {type: "button", className: "ln-go", title: "Tick off the last lesson"}, "Done");
    last.addEventListener("click", () => this.#tick(spec.slug));
    this.foot.replaceChildren(
      leap(lessons[at - 1], (to) => `← ${to.title}`, "ln-quiet"), at + 1 < lessons.length ? leap(lessons[at + 1], (to) => `Next: ${to.title} →`, "ln-go") : last,
    );
  }

  // What is said of a symbol, a term or a cell under the mouse, the focus or a finger.
  #explained(target) {
    const {sym, term, tip} = target.dataset;
    if (tip) return {text: tip};
    if (sym) {
      const {meaning, shape} = symbolWords(sym);
      return {text: meaning, shape};
    }
    const found = this.spec.glossary[term];
    if (!found) return null;
    const place = this.pages(placeOf(found.address));
    const links = place ? [element("a", {href: place, target: "_self", title: "Open the page on which it can be seen or changed"}, "see it move")] : [];
    if (found.lesson && found.lesson !== this.slug) {
      const to = element("button", {type: "button", className: "ln-link", title: "Open the lesson that explains it"}, "its lesson");
      to.addEventListener("click", () => this.go(found.lesson));
      links.push(to);
    }
    return {title: found.term, text: found.meaning, shape: found.shape, links};
  }

  refreshTheme() {
    const theme = readTheme(this.root);
    if (JSON.stringify(theme) === JSON.stringify(this.theme)) return;
    this.theme = theme;
    applyTheme(this.root, theme);
    this.#redraw();
  }

  #redraw() {
    if (this.stage && this.stage.built && this.body.contains(this.stage.node)) this.stage.draw();
  }

  #watch() {
    this.sizes = new ResizeObserver(() => this.#redraw());
    this.sizes.observe(this.root);
    this.themes = new MutationObserver(() => this.refreshTheme());
    for (let node = this.root.parentNode; node; node = node.parentNode || node.host) {
      if (node instanceof Element) this.themes.observe(node, {attributes: true, attributeFilter: ["style", "class", "data-theme"]});
    }
  }

  destroy() {
    this.gone = true;
    this.sizes.disconnect();
    this.themes.disconnect();
    this.root.replaceChildren();
  }
}

// Page and query of an address of the app, "/tune?warmup=3" or "/?task=text".
export const placeOf = (address) => address.replace(/^\//, "").replace(/^(\?|$)/, "play$1");

// Entry of a Streamlit component (v2), called again with every message.
export default function mountLearn({parentElement, data, setStateValue}) {
  let mount = parentElement.triLearn;
  if (!mount) {
    const root = document.createElement("div");
    parentElement.append(root);
    mount = {root, last: null};
    mount.learn = new Learn(root, (name, value) => mount.tell(name, value));
    parentElement.triLearn = mount;
    linkStyle(root);
  }
  mount.tell = setStateValue;
  if (data && data !== mount.last) {
    mount.last = data;
    mount.learn.push(data);
  }
  const mounted = mount.mounted = (mount.mounted || 0) + 1;
  return () => setTimeout(() => {
    // A newer call of the same place has taken over: Streamlit moves what it draws anew, which is off the page meanwhile.
    if (mount.root.isConnected || mount.mounted !== mounted) return;
    mount.learn.destroy();
    delete parentElement.triLearn;
  }, 0);
}

function linkStyle(node) {
  const tree = node.getRootNode();
  const home = tree instanceof ShadowRoot ? tree : document.head;
  if (home.querySelector("link[data-tri-learn]")) return;
  const link = element("link", {rel: "stylesheet", dataset: {triLearn: ""}, href: new URL("./learn.css", import.meta.url).href});
  home.append(link);
}
