// Draws panels when what they show has changed: at most once an animation frame, those in sight first, those further down
// when they come near.

const FRAME_BUDGET_MS = 24;
const NEAR_PX = 200;

export class PanelQueue {
  // panels: each with `section` and `draw(reasons)`.
  constructor(panels) {
    this.panels = panels;
    this.pending = new Map(panels.map((panel) => [panel, new Set()]));
    this.near = new Map();
    this.frame = 0;
    this.observer = new IntersectionObserver((entries) => {
      for (const {target, isIntersecting} of entries) this.near.set(this.panels.find((panel) => panel.section === target), isIntersecting);
      this.touch();
    }, {rootMargin: `${NEAR_PX}px 0px`});
    for (const panel of panels) this.observer.observe(panel.section);
  }

  touch(...reasons) {
    for (const waiting of this.pending.values()) for (const reason of reasons) waiting.add(reason);
    if (!this.frame && !this.gone) this.frame = requestAnimationFrame(() => this.#draw());
  }

  // Whether everything in sight is drawn.
  get rests() {
    return !this.frame && !this.panels.some((panel) => this.#due(panel));
  }

  // At once and everything in sight: spread over frames the first look would take longer, not less.
  drawNow() {
    cancelAnimationFrame(this.frame);
    this.#draw(Infinity);
  }

  // The panel that holds `node` draws what it waits with, in sight or not: what is saved is up to date.
  catchUp(node) {
    const panel = this.panels.find(({section}) => section.contains(node));
    const waiting = this.pending.get(panel);
    if (!waiting.size) return;
    const reasons = new Set(waiting);
    waiting.clear();
    panel.draw(reasons);
  }

  #due(panel) {
    return this.pending.get(panel).size && !panel.section.hidden && this.#isNear(panel);
  }

  #isNear(panel) {
    if (!this.near.has(panel)) {
      const {top, bottom} = panel.section.getBoundingClientRect();
      this.near.set(panel, bottom > -NEAR_PX && top < window.innerHeight + NEAR_PX);
    }
    return this.near.get(panel);
  }

  #draw(budget = FRAME_BUDGET_MS) {
    this.frame = 0;
    if (this.gone) return;
    const until = performance.now() + budget;
    for (const panel of this.panels) {
      if (!this.#due(panel)) continue;
      const waiting = this.pending.get(panel);
      const reasons = new Set(waiting);
      waiting.clear();
      panel.draw(reasons);
      if (performance.now() > until) break;
    }
    if (!this.frame && this.panels.some((panel) => this.#due(panel))) this.frame = requestAnimationFrame(() => this.#draw());
  }

  close() {
    this.gone = true;
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
  }
}
