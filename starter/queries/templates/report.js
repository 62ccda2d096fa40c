// The heads of the tables become buttons that sort; without this script the rows stand in the order of the record.
"use strict";
const collator = new Intl.Collator("en", { numeric: true });

function sort(table, heads, column) {
  const descending = heads[column].getAttribute("aria-sort") === "ascending";
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", descending ? "descending" : "ascending");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => {
    const cell = row.cells[column];
    const text = cell.textContent;
    return { row, empty: text === "", value: cell.className === "n" ? parseFloat(text.replaceAll(",", "")) : text };
  });
  const way = descending ? -1 : 1;
  rows.sort((a, b) => {
    if (a.empty || b.empty) return a.empty - b.empty;
    return way * (typeof a.value === "number" ? a.value - b.value : collator.compare(a.value, b.value));
  });
  const sorted = document.createDocumentFragment();
  rows.forEach(({ row }) => sorted.append(row));
  body.append(sorted);
}

for (const table of document.querySelectorAll("table.sorts")) {
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(table, heads, column));
    head.append(button);
  });
}
