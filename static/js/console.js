// What every page does: theme, navigation, closing messages, copying, times in the viewer's zone.

import { browserZone, copyText, setTheme, setZone, theme, zone } from "./viewer.js";

function showTimes(scope = document) {
  for (const element of scope.querySelectorAll("time[data-epoch]")) {
    const date = new Date(Number(element.dataset.epoch) * 1000);
    element.textContent = new Intl.DateTimeFormat("sv-SE", {
      timeZone: zone(),
      dateStyle: "short",
      timeStyle: "medium",
    }).format(date);
    element.title = date.toISOString();
  }
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-theme-toggle],[data-nav-toggle],[data-dismiss],[data-copy],[data-confirm]");
  if (!target) return;
  if (target.matches("[data-theme-toggle]")) setTheme(theme() === "dark" ? "light" : "dark");
  if (target.matches("[data-nav-toggle]")) document.body.classList.toggle("nav-open");
  if (target.matches("[data-dismiss]")) target.closest(".alert").remove();
  if (target.matches("[data-copy]")) copyText(target.dataset.copy, target);
  if (target.matches("[data-confirm]") && !window.confirm(target.dataset.confirm)) event.preventDefault();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.body.classList.remove("nav-open");
});

document.addEventListener("change", (event) => {
  const target = event.target.closest("[data-submit]");
  if (target) target.form.requestSubmit();
});

if (!document.cookie.includes("cclear_zone=")) setZone(browserZone());
showTimes();
document.addEventListener("htmx:after:swap", () => showTimes());
