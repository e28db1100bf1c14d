// Copies what the pages load from node_modules/ to static/vendor/, and makes one sprite of the icons they use.
// Only what is listed here is copied: source maps go along, comments that name a missing one are dropped, so that
// hashed static files find every file that another names.

import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "..", "node_modules");
const vendor = join(here, "vendor");

const FILES = {
  "tabler.min.css": "@tabler/core/dist/css/tabler.min.css",
  "tabler.min.js": "@tabler/core/dist/js/tabler.min.js",
  "htmx.min.js": "htmx.org/dist/htmx.min.js",
  "plotly-cartesian.min.js": "plotly.js-cartesian-dist-min/plotly-cartesian.min.js",
  "inter-latin.woff2": "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
  "inter-latin-ext.woff2": "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2",
  "inter-cyrillic.woff2": "@fontsource-variable/inter/files/inter-cyrillic-wght-normal.woff2",
  "inter-greek.woff2": "@fontsource-variable/inter/files/inter-greek-wght-normal.woff2",
  "licenses/tabler-icons.txt": "@tabler/icons/LICENSE",
  "licenses/htmx.txt": "htmx.org/LICENSE",
  "licenses/plotly.txt": "plotly.js-cartesian-dist-min/LICENSE",
  "licenses/inter.txt": "@fontsource-variable/inter/LICENSE",
};

const ICONS = `
  activity adjustments alert-circle alert-triangle api arrow-down arrow-left arrow-right arrow-up arrows-maximize book
  book-2 calendar chart-area-line chart-bar chart-line check chevron-down chevron-left chevron-right chevron-up
  circle-check circle-dashed circle-x clock code copy dashboard database device-desktop dots dots-vertical download
  external-link eye eye-off file-code file-spreadsheet file-type-csv file-type-html file-upload filter heartbeat history
  home info-circle key layout-dashboard layout-grid link list lock login logout maximize menu-2 minus moon network
  number-123 packages pencil player-pause player-play plug-connected plus point radar-2 refresh route router search
  server-2 settings shield-lock star stethoscope sun table tag topology-star-3 trash upload user users x zoom-in zoom-out
  zoom-reset
`.trim().split(/\s+/);

rmSync(vendor, { recursive: true, force: true });
mkdirSync(join(vendor, "licenses"), { recursive: true });
for (const [name, source] of Object.entries(FILES)) copy(name, join(modules, source));
writeFileSync(join(vendor, "icons.svg"), sprite());
console.log(`static/vendor: ${Object.keys(FILES).length} files, ${ICONS.length} icons`);

function copy(name, source) {
  const target = join(vendor, name);
  if (!/\.(js|css)$/.test(name)) return cpSync(source, target);
  const text = readFileSync(source, "utf8");
  const map = text.match(/sourceMappingURL=([\w.-]+)/)?.[1];
  if (map && existsSync(join(dirname(source), map))) {
    cpSync(join(dirname(source), map), join(vendor, map));
    writeFileSync(target, text);
  } else {
    writeFileSync(target, text.replace(/(\/\/|\/\*)# sourceMappingURL=[^\n]*/g, ""));
  }
}

function sprite() {
  const symbols = ICONS.map((name) => {
    const svg = readFileSync(join(modules, "@tabler/icons/icons/outline", `${name}.svg`), "utf8");
    const inner = svg.replace(/^[\s\S]*?<svg[^>]*>/, "").replace(/<\/svg>\s*$/, "");
    const drawn = inner.replace(/\s*<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*\/>/, "");
    return `<symbol id="${name}" viewBox="0 0 24 24">${drawn.replace(/\s*\n\s*/g, "")}</symbol>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${symbols.join("")}</svg>\n`;
}
