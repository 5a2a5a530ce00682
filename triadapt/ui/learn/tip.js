// One box that explains what is under the mouse, has the focus or was tapped. A press keeps it open, for the links in it.
import {element} from "../board/theme.js";

const EXPLAINED = "[data-sym], [data-term], [data-tip]";

export class Tip {
  // explain(target): {title, text, shape, links} or null.
  constructor(root, explain) {
    Object.assign(this, {root, explain});
    this.node = element("div", {className: "ln-tip", role: "tooltip", hidden: true});
    root.addEventListener("pointerover", (event) => { if (!this.kept) this.#show(event.target); });
    root.addEventListener("pointerout", (event) => { if (event.pointerType === "mouse" && !this.kept) this.hide(); });
    root.addEventListener("focusin", (event) => { if (!this.#within(event.target)) this.#show(event.target); });
    root.addEventListener("focusout", (event) => { if (!this.#within(event.relatedTarget)) this.hide(); });
    root.addEventListener("click", (event) => { if (!this.#within(event.target)) this.kept = this.#show(event.target); });
    root.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        if (this.#within(event.target) && this.from) this.from.focus();
        this.hide();
      }
      if (["Enter", " "].includes(event.key) && event.target.matches(".ln-term")) {
        event.preventDefault();
        this.from = event.target;
        this.kept = this.#show(event.target);
        this.node.querySelector("a, button")?.focus();
      }
    });
  }

  hide() {
    this.node.hidden = true;
    this.kept = false;
  }

  #within(node) { return Boolean(node && node.nodeType && this.node.contains(node)); }

  // Whether there was something to show.
  #show(target) {
    const found = target.closest ? target.closest(EXPLAINED) : null;
    const said = found && this.explain(found);
    if (!said || !said.text) {
      this.hide();
      return false;
    }
    this.node.replaceChildren(...(said.title ? [element("b", {}, said.title), element("br")] : []), said.text, ...(said.shape ? [element("br"), element("em", {}, said.shape)] : []), ...(said.links ? [element("span", {className: "ln-links"}, ...said.links)] : []));
    this.node.hidden = false;
    const [box, home] = [found.getBoundingClientRect(), this.root.getBoundingClientRect()];
    const {offsetWidth: width, offsetHeight: height} = this.node;
    const left = Math.max(0, Math.min(box.left - home.left + box.width / 2 - width / 2, home.width - width));
    const above = box.top - height - 8 > 60;
    this.node.style.left = `${left}px`;
    this.node.style.top = `${above ? box.top - home.top - height - 8 : box.bottom - home.top + 8}px`;
    return true;
  }
}
