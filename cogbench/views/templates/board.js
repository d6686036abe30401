// Sorting and filtering; without this the page is a plain table, sorted as it was written.
"use strict";

function sortBy(table, column) {
  const head = table.tHead.rows[0].cells[column];
  const before = head.getAttribute("aria-sort");
  const falls = before ? before === "ascending" : "falls" in head.dataset;
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", falls ? "descending" : "ascending");
  const key = (row) => {
    const cell = row.cells[column];
    const text = cell.textContent.trim();
    return "text" in head.dataset ? text : parseFloat(cell.dataset.v ?? text); // what is shown is rounded
  };
  const compare = (a, b) => {
    const lost = (k) => k === "" || Number.isNaN(k);
    if (lost(a) || lost(b)) return lost(a) - lost(b); // what is not known comes last in either direction
    const order = typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
    return falls ? -order : order;
  };
  const rows = [...table.tBodies[0].rows].map((row) => [key(row), row]);
  rows.sort((a, b) => compare(a[0], b[0]));
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

for (const table of document.querySelectorAll("table.board")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => sortBy(table, column));
  });
}

const form = document.querySelector("form");
function filter() {
  const { oracle, backbone } = Object.fromEntries(new FormData(form));
  let shown = 0;
  let all = 0;
  for (const section of document.querySelectorAll("section[data-oracle]")) {
    let here = 0;
    for (const row of section.querySelectorAll("tbody tr")) {
      const baseline = !("b" in row.dataset);
      row.hidden = Boolean(backbone) && !baseline && row.dataset.b !== backbone;
      all += !baseline;
      here += !baseline && !row.hidden;
    }
    section.hidden = (Boolean(oracle) && section.dataset.oracle !== oracle) || here === 0;
    shown += section.hidden ? 0 : here;
  }
  form.querySelector("[role=status]").textContent = `${shown} of ${all} results shown`;
}
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
form.hidden = false;
filter();
