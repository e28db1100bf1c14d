// Sorts a table by the column of a heading; a second click turns the order round. The row `Other` stays last.

export function sortBy(head) {
  const table = head.closest("table");
  const column = [...head.parentElement.children].indexOf(head);
  const numeric = head.dataset.sort === "number";
  const before = head.getAttribute("aria-sort");
  const descending = before ? before === "ascending" : numeric;
  for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const value = (row) => {
    const cell = row.children[column];
    if (!numeric) return cell.textContent.trim();
    return cell.dataset.value === "" ? -Infinity : Number(cell.dataset.value);
  };
  const compare = (a, b) => (numeric ? value(a) - value(b) : value(a).localeCompare(value(b), "en", { numeric: true }));
  const rows = [...table.tBodies[0].rows];
  const rest = rows.filter((row) => row.classList.contains("is-other"));
  const sorted = rows.filter((row) => !row.classList.contains("is-other")).sort((a, b) => (descending ? compare(b, a) : compare(a, b)));
  table.tBodies[0].append(...sorted, ...rest);
}
