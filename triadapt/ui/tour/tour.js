// A tour of the page: a few stops, each a light around a real element and a card beside it. It starts by itself on a
// browser's first visit, and from its button at any time.
import {around, beside, lit} from "./place.js";
import {setSidebar, sidebarCovers, sidebarOpen} from "./sidebar.js";

const DONE = "triadapt.tour"; // in the browser: it was finished or skipped
const LATER = "triadapt.tour.later"; // in this tab: the visitor came for something else
const LINKS = ["run", "class"]; // names in the address of who was sent here to see something
const READY = "[data-testid=rank-map]";
const WAIT_MS = 30000; // any press or key before ends the waiting

class Tour {
  constructor(stops, ended) {
    this.stops = stops;
    this.ended = ended;
    this.opened = sidebarOpen(); // as the visitor had it
    this.dialog = make("dialog", "tour");
    this.light = make("div", "tour-light");
    this.title = make("h2", "", "");
    this.text = make("p", "", "");
    const words = make("div", "", this.title, this.text);
    words.setAttribute("aria-live", "polite");
    this.count = make("span", "tour-count", "");
    this.skip = button("Skip", "End the tour; it does not come again by itself", () => this.end());
    this.back = button("Back", "To the stop before (left arrow)", () => this.go(-1));
    this.next = button("Next", "To the next stop (right arrow)", () => this.go(1));
    this.next.className = "tour-next";
    this.card = make("div", "tour-card", words, make("div", "tour-foot", this.count, this.skip, this.back, this.next));
    this.dialog.append(this.light, this.card);
    this.dialog.setAttribute("aria-label", "Tour of the page");
    this.dialog.addEventListener("cancel", (event) => { event.preventDefault(); this.end(); });
    this.key = (event) => this.#key(event);
  }

  // Begin at the first stop that there is; the dialog becomes a child of `host`.
  start(host) {
    host.append(this.dialog);
    window.addEventListener("keydown", this.key, true);
    this.at = -1;
    this.dialog.showModal();
    this.go(1);
    this.next.focus();
  }

  // On to the next stop in a direction whose element is on the page. A closed sidebar is opened where a stop is in it.
  go(by) {
    let at = this.at + by;
    while (this.stops[at] && !this.#there(this.stops[at])) at += by;
    if (at < 0) return;
    if (at >= this.stops.length) { this.end(); return; }
    this.at = at;
    const stop = this.stops[at];
    if (stop.sidebar) setSidebar(true);
    else if (sidebarCovers()) setSidebar(false);
    this.title.textContent = stop.title;
    this.text.textContent = stop.text;
    this.count.textContent = `${at + 1} of ${this.stops.length}`;
    this.back.disabled = !this.stops.slice(0, at).some((one) => this.#there(one));
    this.next.textContent = at + 1 < this.stops.length ? "Next" : "Done";
    if (this.back.disabled && document.activeElement === this.back) this.next.focus();
    this.skip.hidden = at + 1 === this.stops.length;
    this.dialog.dataset.stop = stop.name;
    this.scrolled = false;
    this.#follow();
  }

  end() {
    if (this.gone) return;
    this.close();
    setSidebar(this.opened);
    this.ended();
  }

  // Take everything away.
  close() {
    this.gone = true;
    window.removeEventListener("keydown", this.key, true);
    cancelAnimationFrame(this.frame);
    this.dialog.remove();
  }

  // The controls stay in the page while the sidebar is closed, with a place beside the window.
  #there(stop) {
    return stop.at.some((one) => document.querySelector(one));
  }

  // Keep the light on its element: the page scrolls, the sidebar slides, and the board goes on drawing.
  #follow() {
    cancelAnimationFrame(this.frame);
    const look = () => {
      const stop = this.stops[this.at];
      if (!this.scrolled) this.scrolled = scrollTo(stop.at);
      const box = around(stop.at);
      if (box) {
        const light = lit(box);
        const {offsetWidth: width, offsetHeight: height} = this.card;
        const [left, top] = beside(light, width, height);
        const now = [light.left, light.top, light.right - light.left, light.bottom - light.top, left, top].map(Math.round);
        if (String(now) !== this.placed) {
          this.placed = String(now);
          this.light.style.cssText = `transform:translate(${now[0]}px,${now[1]}px);width:${now[2]}px;height:${now[3]}px`;
          this.card.style.transform = `translate(${now[4]}px,${now[5]}px)`;
        }
      }
      this.frame = requestAnimationFrame(look);
    };
    look();
  }

  // The page's own keys rest meanwhile: Streamlit's shortcuts would pause or stop a race.
  #key(event) {
    const by = {ArrowRight: 1, ArrowDown: 1, PageDown: 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1}[event.key];
    event.stopImmediatePropagation();
    if (event.key === "Escape") { event.preventDefault(); this.end(); }
    if (by) { event.preventDefault(); this.go(by); }
  }
}

function make(tag, className, ...children) {
  const node = document.createElement(tag);
  node.className = className;
  node.append(...children);
  return node;
}

function button(label, title, press) {
  const node = make("button", "", label);
  node.type = "button";
  node.title = title;
  node.addEventListener("click", press);
  return node;
}

// Scroll to what a stop points at: to its middle, or to its top where it is higher than the window. Returns whether that
// could be done: a sidebar that was just opened is still beside the window.
function scrollTo(selectors) {
  const box = around(selectors);
  if (!box || box.left < 0) return false;
  const first = selectors.map((one) => document.querySelector(one)).find(Boolean);
  first.scrollIntoView({block: box.bottom - box.top > window.innerHeight * 0.7 ? "start" : "center"});
  return true;
}

function remembered(store, name) {
  try { return store().getItem(name) !== null; } catch { return true; } // where nothing can be kept it would come each time
}

function remember(store, name) {
  try { store().setItem(name, "1"); } catch { /* not kept */ }
}

// Whether the tour is to start by itself. Not for a program that drives the browser.
function firstVisit() {
  const address = new URLSearchParams(window.location.search);
  if (LINKS.some((name) => address.has(name))) remember(() => window.sessionStorage, LATER);
  return !navigator.webdriver && !remembered(() => window.localStorage, DONE) && !remembered(() => window.sessionStorage, LATER);
}

class Host {
  constructor(parent, byItself) {
    this.parent = parent;
    this.button = button("Tour", "A tour of this page in a minute", () => this.start());
    this.button.classList.add("tour-start");
    parent.append(this.button);
    const first = byItself && firstVisit();
    this.button.dataset.byItself = String(first);
    if (first) this.#whenReady();
  }

  start() {
    this.#rest();
    if (this.tour && !this.tour.gone) return;
    this.tour = new Tour(this.stops, () => {
      remember(() => window.localStorage, DONE);
      this.button.focus(); // and back to the top, where Run is
    });
    this.tour.start(this.parent);
  }

  // Once the board has drawn its rank maps; not for a visitor who has begun to do something.
  #whenReady() {
    const begun = () => this.#rest();
    const since = performance.now();
    const look = () => {
      const address = new URLSearchParams(window.location.search);
      if (LINKS.some((name) => address.has(name)) || performance.now() - since > WAIT_MS) this.#rest();
      else if (around([READY])) this.start();
    };
    const timer = setInterval(look, 100);
    window.addEventListener("pointerdown", begun, true);
    window.addEventListener("keydown", begun, true);
    this.waiting = () => {
      clearInterval(timer);
      window.removeEventListener("pointerdown", begun, true);
      window.removeEventListener("keydown", begun, true);
    };
  }

  #rest() {
    if (this.waiting) this.waiting();
    this.waiting = null;
  }

  leave() {
    this.#rest();
    if (this.tour) this.tour.close();
    this.button.remove();
  }
}

function linkStyle() {
  const href = new URL("./tour.css", import.meta.url).href;
  if (document.querySelector(`link[href="${href}"]`)) return;
  document.head.append(Object.assign(document.createElement("link"), {rel: "stylesheet", href}));
}

// Entry of a Streamlit component (v2), called again with every run of the page's script; the button and an open tour
// stay as they are.
export default function mountTour({parentElement, data}) {
  linkStyle();
  const host = parentElement.triTour ??= new Host(parentElement, data.by_itself);
  host.stops = data.stops;
  const mounted = host.mounted = (host.mounted || 0) + 1;
  return () => setTimeout(() => {
    // A newer call of the same place has taken over: Streamlit moves what it draws anew, which is off the page meanwhile.
    if (host.button.isConnected || host.mounted !== mounted) return;
    host.leave();
    delete parentElement.triTour;
  }, 0);
}
