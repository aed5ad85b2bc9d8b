"use strict";
// Without this script everything is there: figures, tables, links. With it tables fold, sort, and charts answer.

const folds = [...document.querySelectorAll("details")];
folds.forEach((fold) => (fold.open = false));
addEventListener("beforeprint", () => folds.forEach((fold) => (fold.open = true)));

function reveal() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const fold = target && target.closest("details");
  if (fold) {
    fold.open = true;
    target.scrollIntoView();
  }
}
addEventListener("hashchange", reveal);
document.querySelectorAll('a[href^="#"]').forEach((link) => link.addEventListener("click", () => setTimeout(reveal)));
reveal();

document.querySelectorAll("table.sortable th button").forEach((button) => {
  button.disabled = false;
  button.addEventListener("click", () => {
    const header = button.closest("th");
    const up = header.getAttribute("aria-sort") !== "ascending";
    const body = header.closest("table").tBodies[0];
    const value = (row) => Number(row.cells[header.cellIndex].dataset.value); // Infinity is one
    const compare = (a, b) => (value(a) > value(b)) - (value(a) < value(b));
    const rows = [...body.rows].sort((a, b) => (up ? compare(a, b) : compare(b, a)));
    body.append(...rows);
    for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", up ? "ascending" : "descending");
  });
});

const explore = document.getElementById("explore");
if (explore && window.vegaEmbed) {
  explore.hidden = false;
  const specification = JSON.parse(document.getElementById("specification").textContent);
  for (const [name, columns] of Object.entries(specification.datasets)) {
    const keys = Object.keys(columns);
    const row = (_, i) => Object.fromEntries(keys.map((key) => [key, columns[key][i]]));
    specification.datasets[name] = columns[keys[0]].map(row);
  }
  const width = Math.max(260, Math.min(720, document.body.clientWidth - 240));
  specification.vconcat.forEach((chart) => (chart.width = width));
  vegaEmbed("#charts", specification, {
    ast: true, // no code from strings
    bind: "#filters",
    mode: "vega-lite",
    renderer: "canvas", // thousands of dots
    actions: { export: true, source: false, compiled: false, editor: false },
    loader: { target: "_blank" },
  }).then((result) => {
    // Where a page may open no other (MLflow shows artifacts so), the address can still be read and copied.
    result.view.addEventListener("click", (_, mark) => {
      const link = mark && mark.datum && mark.datum.link;
      if (!link) return;
      const shown = document.createElement("a");
      Object.assign(shown, { href: link, textContent: link, target: "_blank", rel: "noopener" });
      document.getElementById("run").replaceChildren("The run: ", shown);
    });
    explore.dataset.drawn = "yes";
  });
}
