// The panel form: shows the settings of the chosen kind, adds rows for metrics, draws a preview as one types.

import { theme, zone } from "./viewer.js";

const form = document.getElementById("panel-form");
const box = document.getElementById("preview");
const themes = JSON.parse(document.getElementById("plotly-themes").textContent);
let timer = 0;
let last = null;

function showKind() {
  const chosen = form.querySelector("input[name=kind]:checked");
  for (const fields of form.querySelectorAll("[data-kind-form]")) fields.hidden = fields.dataset.kindForm !== chosen?.value;
  form.querySelector("div[data-needs-query]").hidden = chosen?.dataset.needsQuery === "no";
}

function addMetric() {
  const next = form.querySelector("[data-metric-rows] select[hidden]");
  if (next) next.hidden = false;
  if (!form.querySelector("[data-metric-rows] select[hidden]")) form.querySelector("[data-metric-add]").hidden = true;
}

async function preview() {
  const data = new FormData(form);
  if (!data.get("title")) data.set("title", "Preview");
  const response = await fetch(`${form.dataset.preview}?${new URLSearchParams({ zone: zone() })}`, {
    method: "POST",
    body: data,
    headers: { "X-CSRFToken": data.get("csrfmiddlewaretoken") },
  });
  if (response.ok) draw(await response.json());
}

function draw(answer) {
  last = answer;
  if (!answer.figure) window.Plotly?.purge(box);
  box.replaceChildren();
  box.classList.remove("js-plotly-plot");
  if (answer.figure && window.Plotly) {
    const graph = document.createElement("div");
    graph.className = "panel-figure";
    box.append(graph);
    box.style.setProperty("--h", `${answer.height || 300}px`);
    window.Plotly.newPlot(graph, answer.figure.data, { ...answer.figure.layout, template: themes[theme()] }, { displayModeBar: false, responsive: true });
  } else if (answer.html) {
    box.innerHTML = answer.html;
  } else {
    const state = document.getElementById("state-error").content.cloneNode(true);
    state.querySelector(".state-title").textContent = answer.empty?.title || "Nothing to draw yet";
    state.querySelector(".state-text").textContent = answer.empty?.text || answer.problem || "";
    box.append(state);
  }
}

form.addEventListener("change", showKind);
form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(preview, 500);
});
form.querySelector("[data-metric-add]").addEventListener("click", addMetric);
document.addEventListener("cclear:theme", () => last && draw(last));
showKind();
preview();
