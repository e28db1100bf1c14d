// Before the first paint: dark or light, as chosen here, else as the system says. Loaded in the head, so no flash.
(function () {
  "use strict";
  const stored = window.localStorage.getItem("cclear-theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.setAttribute("data-bs-theme", stored === "dark" || stored === "light" ? stored : system);
  // Django's admin names its themes by another attribute.
  document.documentElement.setAttribute("data-theme", document.documentElement.getAttribute("data-bs-theme"));
  if (window.localStorage.getItem("cclear-nav") === "rail") document.documentElement.classList.add("nav-rail");
})();
