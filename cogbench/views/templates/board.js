// Sorting, filters, downloads, and all of these in the address; without this the page is plain tables, sorted as written.
"use strict";

const form = document.querySelector("form");
const tables = [...document.querySelectorAll("table.board")].map((table) => {
  const heads = [...table.tHead.rows[0].cells];
  const names = heads.map((head) => head.textContent.trim());
  const body = table.tBodies[0];
  return { table, heads, names, body, rows: [...body.rows], sorts: heads.map((head) => head.getAttribute("aria-sort")) };
});

function sortTable({ heads, body }, column, falls) {
  const head = heads[column];
  for (const other of heads) other.removeAttribute("aria-sort");
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
  const rows = [...body.rows].map((row) => [key(row), row]);
  rows.sort((a, b) => compare(a[0], b[0]));
  body.append(...rows.map(([, row]) => row));
}

function filterRows() {
  const { search = "", family, oracle, ...chosen } = Object.fromEntries(new FormData(form));
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const facts = Object.entries(chosen).filter(([, value]) => value);
  let shown = 0;
  let all = 0;
  for (const section of document.querySelectorAll("section[data-oracle], section[data-stacked]")) {
    const heading = section.querySelector("h2").textContent;
    const { family: ownFamily, oracle: ownOracle, stacked } = section.dataset;
    let here = 0;
    let results = 0;
    for (const row of section.querySelectorAll("tbody tr")) {
      const baseline = row.classList.contains("baseline");
      const text = `${heading} ${row.textContent}`.toLowerCase();
      const matches = words.every((word) => text.includes(word));
      // A row that does not say a fact, such as a baseline, stays whatever is chosen.
      const fits = facts.every(([name, value]) => (row.dataset[name] ?? value).split("\n").includes(value));
      row.hidden = !(fits && (matches || baseline));
      results += !baseline;
      here += matches && !row.hidden && (!baseline || words.length > 0);
    }
    section.hidden = (oracle && ownOracle !== oracle) || (family && ownFamily !== family) || here === 0;
    if (stacked !== undefined) continue; // its rows are no results of their own
    all += results;
    shown += section.hidden ? 0 : section.querySelectorAll("tbody tr:not([hidden], .baseline)").length;
  }
  form.querySelector("[role=status]").textContent = `${shown} of ${all} results shown`;
}

// The state is what differs from the page as it was written: `#search=cra&board-1=skill,descending`.
function writeState() {
  const state = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  for (const { table, heads, names, sorts } of tables) {
    const column = heads.findIndex((head) => head.hasAttribute("aria-sort"));
    if (column >= 0 && heads[column].getAttribute("aria-sort") !== sorts[column]) {
      state.set(table.dataset.name, `${names[column]},${heads[column].getAttribute("aria-sort")}`);
    }
  }
  history.replaceState(null, "", `${location.pathname}${location.search}${String(state) && `#${state}`}`);
}

function readState() {
  const state = new URLSearchParams(location.hash.slice(1));
  form.reset();
  for (const field of form.elements) {
    const value = state.get(field.name) ?? "";
    if (field.tagName !== "SELECT" || [...field.options].some((option) => option.value === value)) field.value = value;
  }
  for (const board of tables) {
    const { table, heads, names, body, rows, sorts } = board;
    const [, name, order] = /^(.*),(ascending|descending)$/.exec(state.get(table.dataset.name) ?? "") ?? [];
    if (names.includes(name)) {
      sortTable(board, names.indexOf(name), order === "descending");
    } else {
      body.append(...rows);
      heads.forEach((head, i) => (sorts[i] ? head.setAttribute("aria-sort", sorts[i]) : head.removeAttribute("aria-sort")));
    }
  }
  filterRows();
}

// What is shown of a table: exact numbers, and no text that a spreadsheet takes for a formula.
function shownRows({ heads, names, body }) {
  const value = (cell, i) => {
    const text = cell.textContent.trim();
    const exact = Number(cell.dataset.v ?? text);
    return text === "" ? null : heads[i].classList.contains("text") || !Number.isFinite(exact) ? text : exact;
  };
  const rows = [...body.rows].filter((row) => !row.hidden).map((row) => [...row.cells].map(value));
  return { names, rows };
}

const formats = {
  csv: ({ names, rows }) => {
    const safe = (text) => (/^[=@+\-\t\n]/.test(text) && !Number.isFinite(Number(text)) ? `'${text}` : text);
    const quoted = (value) => `"${safe(String(value ?? "")).replaceAll('"', '""')}"`;
    return [names, ...rows].map((row) => `${row.map(quoted).join(",")}\n`).join("");
  },
  json: ({ names, rows }) =>
    `${JSON.stringify(rows.map((row) => Object.fromEntries(row.map((value, i) => [names[i], value]))), null, 1)}\n`,
};

function save(board, format) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([formats[format](shownRows(board))], { type: `text/${format}` }));
  link.download = `${board.table.dataset.name}.${format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function addButton(parent, text, act) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", act);
  parent.append(button);
}

for (const board of tables) {
  board.heads.forEach((head, column) => {
    head.replaceChildren();
    addButton(head, board.names[column], () => {
      const before = head.getAttribute("aria-sort");
      sortTable(board, column, before ? before === "ascending" : "falls" in head.dataset);
      writeState();
    });
  });
  const downloads = document.createElement("p");
  downloads.className = "downloads";
  downloads.append("Download the rows shown: ");
  for (const format of Object.keys(formats)) addButton(downloads, format, () => save(board, format));
  board.table.parentElement.after(downloads);
}
form.addEventListener("input", () => {
  filterRows();
  writeState();
});
form.addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", readState);
form.hidden = false;
readState();
