// The viewer's own: theme, time zone, clipboard. Only functions: modules that import each other by plain names may be
// loaded beside a page's hashed ones, so nothing here may happen on loading.

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
