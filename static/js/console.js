// What every page does: theme, navigation, closing messages, copying, times in the viewer's zone.

const root = document.documentElement;

export function theme() {
  return root.getAttribute("data-bs-theme") === "dark" ? "dark" : "light";
}

export function setTheme(name) {
  root.setAttribute("data-bs-theme", name);
  root.setAttribute("data-theme", name);
  localStorage.setItem("cclear-theme", name);
  document.dispatchEvent(new CustomEvent("cclear:theme", { detail: name }));
}

export function browserZone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

export function zone() {
  const found = document.cookie.match(/(?:^|; )cclear_zone=([^;]+)/);
  return found ? decodeURIComponent(found[1]) : browserZone();
}

export function setZone(name) {
  document.cookie = `cclear_zone=${encodeURIComponent(name)}; path=/; max-age=31536000; samesite=lax`;
}

export async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS browsers hide the clipboard: the old way still works.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast("Copied", button);
}

export function toast(text) {
  const box = document.createElement("div");
  box.className = "toast-note";
  box.setAttribute("role", "status");
  box.textContent = text;
  document.body.append(box);
  setTimeout(() => box.remove(), 1600);
}

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
