// The bar's state: it lives in the address, so that a link shows what its sender saw.

import { browserZone, setZone, zone } from "./viewer.js";

const SECONDS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
const given = JSON.parse(document.getElementById("bar-params").textContent);
const quick = JSON.parse(document.getElementById("quick-ranges").textContent);

export const state = { ...given };
if (!new URLSearchParams(location.search).has("zone")) state.zone = zone();

const listeners = [];
export const onChange = (listener) => listeners.push(listener);

export function params(extra = {}) {
  const all = { ...state, ...extra };
  return new URLSearchParams(Object.entries(all).filter(([, value]) => value !== "" && value != null));
}

export function change(changes, { push = true } = {}) {
  Object.assign(state, changes);
  if (push) history.pushState({ ...state }, "", `?${params()}`);
  showLabel();
  for (const listener of listeners) listener();
}

window.addEventListener("popstate", () => {
  const words = Object.fromEntries(new URLSearchParams(location.search));
  for (const key of Object.keys(state)) delete state[key];
  change({ ...given, ...words }, { push: false });
});

// "now-90m" or an absolute time as epoch seconds; NaN for what is neither. The server is the judge, this is for buttons.
export function seconds(text, now = Date.now() / 1000) {
  const match = /^now(?:\s*-\s*(\d+)([smhdw]))?$/.exec(text.trim());
  if (match) return now - (match[1] ? Number(match[1]) * SECONDS[match[2]] : 0);
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  if (/(Z|[+-]\d\d:?\d\d)$/.test(text)) return Date.parse(text) / 1000;
  return inZone(text, state.zone);
}

// Epoch seconds of a wall-clock time in a zone: ask what the zone shows at the guess, and correct by the difference.
function inZone(text, name) {
  const wall = Date.parse(`${text.trim().replace(" ", "T")}${text.includes(":") ? "" : "T00:00"}Z`);
  if (Number.isNaN(wall)) return NaN;
  const shown = Date.parse(`${stamp(wall / 1000, name).replace(" ", "T")}Z`);
  return (2 * wall - shown) / 1000;
}

// "2026-03-04 10:00:00" in a zone.
export function stamp(moment, name = state.zone) {
  const options = { timeZone: name, dateStyle: "short", timeStyle: "medium" };
  return new Intl.DateTimeFormat("sv-SE", options).format(new Date(moment * 1000));
}

export const iso = (moment) => new Date(moment * 1000).toISOString().replace(/\.000Z$/, "Z");

export function absolute() {
  return [seconds(state.from), seconds(state.to)];
}

export function setAbsolute(from, to) {
  change({ from: iso(Math.floor(from)), to: iso(Math.ceil(Math.max(to, from + 1))) });
}

export function label() {
  const found = quick.find(([start]) => start === state.from && state.to === "now");
  if (found) return found[1];
  const [from, to] = absolute();
  if (Number.isNaN(from) || Number.isNaN(to)) return `${state.from} to ${state.to}`;
  const [first, last] = [stamp(from), stamp(to)];
  const cut = (text) => (text.endsWith(":00") ? text.slice(0, -3) : text);
  return first.slice(0, 10) === last.slice(0, 10) ? `${cut(first)} – ${cut(last.slice(11))}` : `${cut(first)} – ${cut(last)}`;
}

function showLabel() {
  for (const element of document.querySelectorAll("[data-range-label]")) element.textContent = label();
  for (const button of document.querySelectorAll("[data-quick]")) {
    button.classList.toggle("is-active", button.dataset.quick === state.from && state.to === "now");
  }
}

function fillForm() {
  const form = document.getElementById("range-form");
  const relative = (text) => text.startsWith("now");
  form.elements.from.value = relative(state.from) ? state.from : stamp(seconds(state.from));
  form.elements.to.value = relative(state.to) ? state.to : stamp(seconds(state.to));
  const zones = [...new Set([browserZone(), "UTC", state.zone])];
  form.elements.zone.replaceChildren(...zones.map((name) => new Option(name, name, false, name === state.zone)));
}

function shift(direction) {
  const [from, to] = absolute();
  const length = to - from;
  setAbsolute(from + (direction * length) / 2, to + (direction * length) / 2);
}

export function zoomOut() {
  const [from, to] = absolute();
  const half = (to - from) / 2;
  setAbsolute(from - half, Math.min(to + half, Date.now() / 1000));
}

function submitRange(event) {
  event.preventDefault();
  const form = event.target;
  const error = document.getElementById("range-error");
  state.zone = form.elements.zone.value;
  const [from, to] = [seconds(form.elements.from.value), seconds(form.elements.to.value)];
  error.hidden = from < to;
  if (!(from < to)) {
    error.textContent = Number.isNaN(from) || Number.isNaN(to) ? "Write times as 2026-03-04 10:00 or now-1h." : "The end must be after the start.";
    return;
  }
  setZone(state.zone);
  const word = (text, moment) => (text.trim().startsWith("now") ? text.trim() : iso(moment));
  change({ from: word(form.elements.from.value, from), to: word(form.elements.to.value, to) });
  closeMenu();
}

function closeMenu() {
  const button = document.getElementById("range-button");
  window.tabler?.bootstrap?.Dropdown?.getOrCreateInstance(button).hide?.();
  document.body.click();
}

export function start() {
  showLabel();
  fillForm();
  document.getElementById("range-form").addEventListener("submit", submitRange);
  document.getElementById("range-button").addEventListener("click", fillForm);
  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-quick],[data-shift],[data-zoom-out]");
    if (!target) return;
    if (target.dataset.quick) {
      change({ from: target.dataset.quick, to: "now" });
      closeMenu();
    } else if (target.dataset.shift) shift(Number(target.dataset.shift));
    else zoomOut();
  });
  document.getElementById("bar-monitor")?.addEventListener("change", (event) => {
    location.search = params({ monitor: event.target.value, filter: "" });
  });
  startFilter();
}

function startFilter() {
  const form = document.getElementById("filter-line");
  const clear = form.querySelector("[data-clear-filter]");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    change({ filter: form.elements.filter.value.trim() });
  });
  form.addEventListener("change", (event) => {
    if (event.target.name !== "filter") change({ [event.target.name]: event.target.value });
  });
  clear.addEventListener("click", () => change({ filter: "" }));
  onChange(() => {
    form.elements.filter.value = state.filter || "";
    clear.hidden = !state.filter;
    for (const name of ["nodes", "step", "compare"]) if (form.elements[name]) form.elements[name].value = state[name] || "";
  });
}
