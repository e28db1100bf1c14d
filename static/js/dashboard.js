// A dashboard page: its panels, when they are asked, how fresh the data is, what can be copied.

import { copyText } from "./viewer.js";
import { absolute, change, iso, onChange, params, setAbsolute, stamp, start, state } from "./bar.js";
import { Panel } from "./panel.js";
import { sortBy } from "./table.js";

const AT_ONCE = 4;
const panels = [...document.querySelectorAll("[data-panel]")].map((element) => new Panel(element));
const every = document.getElementById("refresh-every");
let waiting = [];
let running = 0;
let timer = 0;

function ask(wanted) {
  waiting = [...new Set([...waiting, ...wanted])];
  while (running < AT_ONCE && waiting.length) {
    const panel = waiting.shift();
    running += 1;
    panel.load().finally(() => {
      running -= 1;
      ask([]);
    });
  }
}

const visible = () => panels.filter((panel) => panel.visible);

function schedule() {
  clearInterval(timer);
  const seconds = Number(every.value);
  // A range that ends in the past does not change: it is asked once.
  if (seconds && state.to.startsWith("now")) timer = setInterval(() => document.hidden || ask(visible()), seconds * 1000);
}

const watcher = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      const panel = panels.find((item) => item.element === entry.target);
      panel.visible = entry.isIntersecting;
      if (entry.isIntersecting && !panel.asked) ask([panel]);
    }
  },
  { rootMargin: "300px" },
);

function freshness() {
  const until = Math.max(...panels.map((panel) => panel.notes.complete_until || 0));
  const box = document.getElementById("fresh");
  box.hidden = !until;
  if (!until) return;
  const age = Math.max(0, Math.round(Date.now() / 1000 - until));
  // Only who looks at now is told that now is late.
  const stale = age > 60 && state.to.startsWith("now");
  box.classList.toggle("is-stale", stale);
  box.querySelector(".dot").className = `dot ${stale ? "is-amber" : age > 60 ? "" : "is-green"}`;
  const text = stamp(until);
  const clock = document.createElement("b");
  clock.textContent = age < 43200 ? text.slice(11) : text.slice(0, 16);
  box.querySelector("[data-fresh]").replaceChildren("Data until ", clock, ` (${ageText(age)} ago)`);
  box.title = "Up to here every node that keeps up has answered.";
}

function ageText(seconds) {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  if (seconds < 63072000) return `${Math.round(seconds / 86400)} d`;
  return `${Math.floor(seconds / 31557600)} years`;
}

function permanent(hash = "") {
  const [from, to] = absolute();
  return `${location.origin}${location.pathname}?${params({ from: iso(from), to: iso(to) })}${hash}`;
}

const COPIES = {
  link: (panel) => permanent(`#${panel.element.id}`),
  query: (panel) => `curl -s ${location.origin}/api/v1/query -H 'Content-Type: application/json' -H "Authorization: Bearer $TOKEN" -d '${JSON.stringify(panel.notes.query).replaceAll("'", "'\\''")}'`,
  filter: (panel) => panel.notes.traffic || "",
  search: (panel) => `python -m cstor search --store DIR '${panel.notes.traffic || ""}' --from ${iso(panel.notes.range[0])} --to ${iso(panel.notes.range[1])} -w packets.pcap`,
  tcpdump: (panel) => `tcpdump -n -r FILE '${panel.notes.traffic || ""}'`,
};

document.addEventListener("click", (event) => {
  const item = event.target.closest("[data-panel-do]");
  if (item) panelAction(event, item);
  if (event.target.closest("[data-permalink]")) copyText(permanent());
  const goto = event.target.closest("[data-goto]");
  if (goto) {
    event.preventDefault();
    setAbsolute(...goto.dataset.goto.split(",").map(Number));
  }
  const format = event.target.closest("[data-export]");
  if (format) format.href = `${format.pathname}?${params({ format: format.dataset.export })}`;
  const head = event.target.closest("th[data-sort]");
  if (head) sortBy(head);
});

function panelAction(event, item) {
  const panel = panels.find((one) => one.element.contains(item));
  const what = item.dataset.panelDo;
  if (COPIES[what]) copyText(COPIES[what](panel));
  if (what === "image" && panel.figure) savePicture(panel);
  if (what === "packets") {
    const [from, to] = panel.notes.range || absolute();
    item.href = `/packets/?${new URLSearchParams({ from: iso(from), to: iso(to), filter: panel.notes.traffic || "" })}`;
  }
}

function savePicture(panel) {
  const graph = panel.body.querySelector(".panel-figure");
  const name = panel.element.getAttribute("aria-label").toLowerCase().replace(/\W+/g, "-");
  window.Plotly.downloadImage(graph, { format: "png", scale: 2, width: 1200, height: 480, filename: `cclear-${name}` });
}

start();
for (const panel of panels) watcher.observe(panel.element);
onChange(() => {
  ask(visible());
  for (const panel of panels) if (!panel.visible) panel.asked = "";
  schedule();
});
document.getElementById("refresh-now").addEventListener("click", () => ask(visible()));
every.addEventListener("change", schedule);
document.addEventListener("cclear:theme", () => panels.forEach((panel) => panel.retheme()));
document.addEventListener("cclear:panel", freshness);
document.addEventListener("visibilitychange", () => document.hidden || ask(visible()));
setInterval(freshness, 1000);
schedule();
window.cclear = { panels, state, change };
