// The menu of a point: to its packets, to its group, nearer in time. A spike is one click from its packets.

import { copyText } from "./viewer.js";
import { change, iso, setAbsolute, state } from "./bar.js";

let open = null;

export function openMenu(panel, event) {
  close();
  const point = nearest(event);
  if (!point) return;
  const meta = point.data.meta || {};
  const filter = meta.filters ? meta.filters[point.pointIndex ?? point.pointNumber] : meta.filter || "";
  const span = spanOf(panel, point);
  const box = document.getElementById("point-menu").content.cloneNode(true).firstElementChild;
  describe(box.querySelector("p"), panel, point);
  const query = { from: iso(span[0]), to: iso(span[1]), filter };
  if (state.nodes) query.node = state.nodes;
  box.querySelector("[data-do=packets]").href = `/packets/?${new URLSearchParams(query)}`;
  box.querySelector("[data-do=zoom]").hidden = !!meta.filters;
  box.querySelector("[data-do=filter]").hidden = !filter || !Object.keys(meta.group || { all: 1 }).length;
  box.querySelector("[data-do=copy]").hidden = !filter;
  box.addEventListener("click", (click) => act(click, span, filter));
  document.body.append(box);
  place(box, event.event);
  open = box;
}

// A click in a shared tooltip names a point of every line: the one nearest to the pointer is meant.
function nearest(event) {
  const away = (point) => {
    if (!point.yaxis?.d2p || point.data.orientation === "h") return 0;
    const top = event.event.target.closest("svg")?.getBoundingClientRect().top ?? 0;
    return Math.abs(top + point.yaxis._offset + point.yaxis.d2p(point.y) - event.event.clientY);
  };
  return [...(event.points || [])].sort((a, b) => away(a) - away(b))[0];
}

function act(click, span, filter) {
  const what = click.target.closest("[data-do]")?.dataset.do;
  const length = span[1] - span[0];
  if (what === "zoom") setAbsolute(span[0] - 10 * length, span[1] + 10 * length);
  if (what === "filter") change({ filter });
  if (what === "copy") copyText(filter);
  if (what) close();
}

// A time series' point covers its step; a bar of a top list covers the whole range.
function spanOf(panel, point) {
  if (point.data.orientation === "h" || point.xaxis?.type !== "date") return panel.notes.range;
  const start = panel.epoch(point.x);
  const step = (panel.figure.data.find((trace) => trace.dx)?.dx || 60000) / 1000;
  return [start, start + step];
}

function describe(line, panel, point) {
  const name = document.createElement("b");
  name.textContent = point.data.orientation === "h" ? point.customdata[0] : point.data.name;
  line.append(name, document.createElement("br"), point.data.orientation === "h" ? point.text : String(point.x).slice(0, 19));
}

function place(box, event) {
  const rect = box.getBoundingClientRect();
  box.style.left = `${Math.min(event.clientX + 6, innerWidth - rect.width - 8)}px`;
  box.style.top = `${Math.min(event.clientY + 6, innerHeight - rect.height - 8)}px`;
  setTimeout(() => document.addEventListener("click", outside), 0);
}

function outside(event) {
  if (open && !open.contains(event.target)) close();
}

function close() {
  document.removeEventListener("click", outside);
  open?.remove();
  open = null;
}

document.addEventListener("keydown", (event) => event.key === "Escape" && close());
