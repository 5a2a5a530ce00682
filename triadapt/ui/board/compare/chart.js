// A chart of a comparison. It is first drawn by the drawer of the replay page, which is small and quick; when the mouse comes
// to it, Plotly takes over, with zoom and pictures to save. So a page opens without Plotly's five megabytes.
import {chartConfig, chartSection, element} from "../theme.js";
import {SmallPlotly} from "../plot.js";

export class Chart {
  constructor(comparison, testid, title) {
    this.comparison = comparison;
    this.testid = testid;
    Object.assign(this, chartSection(testid, title));
    this.drawer = SmallPlotly;
    this.nothing = element("p", {className: "tri-nothing", hidden: true});
    this.holder.append(this.nothing);
    this.holder.addEventListener("pointerenter", () => this.#upgrade(), {once: true});
  }

  // Draw by what both drawers know: lines, filled polygons, markers; ids of points name runs.
  react(traces, layout) {
    this.drawer.react(this.box, traces, layout, this.config ||= chartConfig(this.testid));
    if (this.bound === this.box) return;
    this.bound = this.box;
    this.box.on("plotly_hover", (event) => this.comparison.light(this.#runAt(event.points[0])));
    this.box.on("plotly_unhover", () => this.comparison.light(null));
    this.box.on("plotly_click", (event) => this.clicked(event.points[0]));
    this.box.on("plotly_relayout", () => this.moved());
  }

  #runAt({curveNumber, pointNumber}) {
    const {ids, meta} = this.box.data[curveNumber];
    return meta || (ids && ids[pointNumber]) || null;
  }

  // For panels that have something to say to it.
  clicked() {}
  moved() {}

  // Shows a sentence in place of the chart; "": the chart again.
  say(text) {
    this.nothing.hidden = !text;
    this.nothing.textContent = text;
  }

  async #upgrade() {
    const Plotly = await this.comparison.loadPlotly();
    if (!Plotly || !this.box.data) return;
    const box = element("div", {className: "tri-chart"});
    this.box.replaceWith(box);
    this.box = box;
    this.drawer = Plotly;
    this.comparison.queue.touch("drawer");
  }
}
