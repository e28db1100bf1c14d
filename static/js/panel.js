// One panel: asks for its figure, draws it, says what is missing. Nothing is drawn anew while nothing changed (304).

import { theme } from "./viewer.js";
import { setAbsolute, state, zoomOut, params, stamp, iso } from "./bar.js";
import { openMenu } from "./point.js";

const themes = JSON.parse(document.getElementById("plotly-themes").textContent);
const CONFIG = { displayModeBar: false, responsive: true, doubleClick: false, showTips: false };

export class Panel {
  constructor(element) {
    this.element = element;
    this.body = element.querySelector("[data-body]");
    this.etag = "";
    this.asked = "";
    this.notes = {};
    this.visible = false;
    // Cards of a row are as tall as the tallest: figures follow.
    new ResizeObserver(() => this.fit()).observe(this.body);
  }

  fit() {
    const graph = this.body.querySelector(".panel-figure.js-plotly-plot");
    if (graph?.offsetWidth && graph._fullLayout) window.Plotly.Plots.resize(graph);
  }

  async load() {
    const url = `${this.element.dataset.figure}?${params()}`;
    if (this.pending === url) return;
    const headers = this.asked === url && this.etag ? { "If-None-Match": this.etag } : {};
    if (this.asked !== url) this.element.classList.add("is-loading");
    this.abort?.abort();
    const abort = new AbortController();
    this.abort = abort;
    this.pending = url;
    try {
      const response = await fetch(url, { headers, cache: "no-store", signal: abort.signal });
      if (response.status === 304) return;
      if (response.redirected || response.status === 403) return this.fail("Signed out", "Reload the page to sign in again.");
      if (!response.ok) return this.fail("The server could not answer", `Status ${response.status}.`);
      const answer = await response.json();
      this.etag = response.headers.get("ETag") || "";
      this.asked = url;
      this.show(answer);
    } catch (error) {
      if (error.name !== "AbortError") this.fail("The console cannot be reached", "It is asked again at the next refresh.");
    } finally {
      if (this.abort === abort) {
        this.pending = "";
        this.element.classList.remove("is-loading");
      }
    }
  }

  show(answer) {
    this.notes = answer.notes || {};
    this.chips();
    if (answer.problem) return this.fail("This cannot be asked", answer.problem);
    if (answer.empty) return this.empty(answer.empty);
    if (answer.figure) this.draw(answer.figure, answer.height);
    else this.html(answer.html);
    document.dispatchEvent(new CustomEvent("cclear:panel", { detail: this }));
  }

  draw(figure, height) {
    if (!window.Plotly) return this.fail("Charts are not installed", "Run make setup on the server.");
    if (height) this.body.style.setProperty("--h", `${height}px`);
    let graph = this.body.querySelector(".panel-figure");
    if (!graph) {
      this.clear();
      graph = document.createElement("div");
      graph.className = "panel-figure";
      this.body.append(graph);
    }
    this.body.classList.remove("is-html");
    this.figure = figure;
    const layout = { ...figure.layout, template: themes[theme()] };
    window.Plotly.react(graph, figure.data, layout, CONFIG).then(() => this.listen(graph));
  }

  listen(graph) {
    if (graph.dataset.listens) return;
    graph.dataset.listens = "yes";
    graph.on("plotly_relayout", (change) => {
      const [from, to] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
      if (from && to && typeof from === "string") setAbsolute(this.epoch(from), this.epoch(to));
    });
    graph.on("plotly_doubleclick", () => zoomOut());
    graph.on("plotly_click", (event) => openMenu(this, event));
  }

  // Times on the axis are wall clock in the panel's zone: back to epoch seconds.
  epoch(text) {
    const wall = Date.parse(`${String(text).replace(" ", "T")}Z`) / 1000;
    const shown = Date.parse(`${stamp(wall, this.notes.zone).replace(" ", "T")}Z`) / 1000;
    return 2 * wall - shown;
  }

  html(text) {
    this.clear();
    this.body.classList.add("is-html");
    this.body.innerHTML = text;
  }

  empty(reason) {
    this.clear();
    const box = document.getElementById("state-empty").content.cloneNode(true);
    box.querySelector(".state-title").textContent = reason.title;
    box.querySelector(".state-text").textContent = reason.text;
    const button = box.querySelector("a");
    if (reason.kept) {
      button.hidden = false;
      button.href = `?${params({ from: iso(reason.kept[0]), to: iso(reason.kept[1]) })}`;
      button.textContent = "Go to this data";
      button.dataset.goto = reason.kept.join(",");
    } else if (reason.href) {
      button.hidden = false;
      button.href = reason.href;
      button.textContent = reason.action || "See";
    }
    this.body.append(box);
    document.dispatchEvent(new CustomEvent("cclear:panel", { detail: this }));
  }

  fail(title, text) {
    this.clear();
    this.etag = "";
    const box = document.getElementById("state-error").content.cloneNode(true);
    box.querySelector(".state-title").textContent = title;
    box.querySelector(".state-text").textContent = text;
    this.body.append(box);
  }

  clear() {
    const graph = this.body.querySelector(".panel-figure");
    if (graph) window.Plotly?.purge(graph);
    this.figure = null;
    this.body.classList.remove("is-html");
    this.body.replaceChildren();
  }

  retheme() {
    if (this.figure) this.draw(this.figure);
  }

  chips() {
    const box = this.element.querySelector("[data-chips]");
    const notes = this.notes;
    const chips = [];
    const lines = [...(notes.gaps || []).slice(0, 8).map(gapText, this), ...(notes.warnings || [])];
    if (lines.length) {
      const chip = document.getElementById("chip-warning").content.cloneNode(true).firstElementChild;
      chip.dataset.hint = lines.join(" · ");
      chip.querySelector("span").textContent = notes.gaps?.length ? "gaps" : "note";
      chips.push(chip);
    }
    if (notes.show_visibility && notes.visibility != null) chips.push(word(`visibility ${+notes.visibility.toFixed(1)} %`, "Share of the payload that the capture saw. Low visibility makes a lossy mirror look like a lossy network."));
    if (notes.other_share) chips.push(word(`other ${(notes.other_share * 100).toFixed(notes.other_share < 0.1 ? 1 : 0)} %`, "Share of all bytes that is not in the groups shown"));
    if (notes.step) chips.push(word(notes.step, "Each point covers this much time"));
    box.replaceChildren(...chips);
  }
}

function word(text, title) {
  const chip = document.createElement("span");
  chip.className = "chip";
  chip.textContent = text;
  chip.title = title;
  return chip;
}

function gapText([from, to, reason]) {
  return `${stamp(from, state.zone).slice(11)} – ${stamp(to, state.zone).slice(11)}: ${reason}`;
}
