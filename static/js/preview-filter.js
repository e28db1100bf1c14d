// The form of a monitor: what it would bring, told while one types; saved filters; what belongs to the chosen kind.

const box = document.querySelector("[data-monitor-preview]");
const form = box?.closest("form") ?? document.querySelector("form[data-monitor-form]");
const WAIT_MS = 300;
let timer = 0;
let running = null;

function token() {
  return form.querySelector("[name=csrfmiddlewaretoken]").value;
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(ask, WAIT_MS);
}

async function ask() {
  running?.abort();
  const call = new AbortController();
  running = call;
  const data = new FormData(form);
  data.set("monitor", box.dataset.monitor);
  box.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(box.dataset.url, { method: "POST", body: data, signal: call.signal, headers: { "X-CSRFToken": token() } });
    const text = response.ok ? await response.text() : "";
    if (call.signal.aborted) return;
    if (response.ok && !response.redirected) box.innerHTML = text;
    else say(`The preview failed (${response.status}). The form can be saved all the same.`);
  } catch (error) {
    if (error.name === "AbortError") return;
    say("The console cannot be reached just now; typing asks again.");
  }
  box.removeAttribute("aria-busy");
}

function say(text) {
  const line = document.createElement("p");
  line.className = "preview-fault";
  line.textContent = text;
  box.replaceChildren(line);
}

// A kind has keys of its own, and may take no filter: what has no meaning is not shown and not sent.
function showKind(event) {
  const chosen = form.querySelector("input[name=kind]:checked");
  if (!chosen) return;
  const boxes = [...form.querySelectorAll("input[data-kinds]")];
  for (const one of boxes) {
    const fits = one.dataset.kinds.split(" ").includes(chosen.value);
    one.disabled = !fits;
    one.closest("label").parentElement.hidden = !fits;
  }
  const fitting = boxes.filter((one) => !one.disabled);
  if (event && !fitting.some((one) => one.checked)) for (const one of fitting) one.checked = true;
  const filter = form.querySelector("[name=filter]");
  const row = filter?.closest(".field-filter, .field");
  if (row) row.hidden = chosen.dataset.hasFilter === "no";
  if (filter) filter.disabled = chosen.dataset.hasFilter === "no";
}

function fill(event) {
  const filter = form.querySelector("[name=filter]");
  if (!event.target.value) return;
  filter.value = event.target.value;
  event.target.selectedIndex = 0;
  filter.dispatchEvent(new Event("input", { bubbles: true }));
  filter.focus();
}

async function save(part) {
  const name = part.querySelector("[data-filter-name]");
  const said = form.querySelector("[data-filter-said]");
  const filter = form.querySelector("[name=filter]").value;
  const response = await fetch(part.dataset.url, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": token() },
    body: JSON.stringify({ name: name.value, filter }),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const first = Object.entries(answer)[0];
    said.textContent = first ? `${first[0] === "detail" ? "" : `${first[0]}: `}${String([first[1]].flat()[0]).split("\n")[0]}` : `Not saved (${response.status}).`;
    return;
  }
  const list = form.querySelector("[data-saved-filters]");
  list.append(new Option(answer.name, answer.filter));
  list.hidden = false;
  said.textContent = `Saved as ${answer.name}.`;
  name.value = "";
  part.open = false;
}

if (form) {
  form.addEventListener("input", (event) => event.target.matches("[data-filter-name],[data-saved-filters]") || later());
  form.addEventListener("change", (event) => {
    if (event.target.name === "kind") showKind(event);
    if (event.target.matches("[data-saved-filters]")) fill(event);
    else later();
  });
  const part = form.querySelector("[data-filter-save]");
  part?.querySelector("[data-filter-save-now]").addEventListener("click", () => save(part));
  part?.querySelector("[data-filter-name]").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    save(part);
  });
  showKind();
  if (box) ask();
}
