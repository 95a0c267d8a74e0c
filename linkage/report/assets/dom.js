// Text of an export reaches the page by textContent and setAttribute alone: it cannot become markup.
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

const html = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
const svg = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

const whole = (n) => n.toLocaleString("en-GB");
const signed = (n, digits = 2) => (n < 0 ? "−" : "+") + Math.abs(n).toFixed(digits);
const counted = (n, one, many) => `${whole(n)} ${n === 1 ? one : many}`;
const cut = (text, most = 26) => {
  const letters = [...text];
  return letters.length > most ? letters.slice(0, most - 1).join("") + "…" : text;
};
const stamp = (hour) => new Date(hour * 3600000).toISOString().slice(0, 16).replace("T", " ");

let made = 0;
const fresh = (name) => `${name}-${++made}`;

/** Words and numbers compare each in their own way; what is missing comes last. */
function compare(a, b) {
  if (a === b) return 0;
  if (a === null || a === "") return 1;
  if (b === null || b === "") return -1;
  return a < b ? -1 : 1;
}

/** Makes a heading a button that sorts; `aria-sort` says how the table is sorted now. */
function sorter(headings, sort) {
  headings.forEach((heading, at) => {
    const button = heading.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(at, down);
    });
  });
}

const PAGE = 50;
const PRINTED = 100;

/**
 * A table with sortable columns, a page of rows at a time.
 * columns: {name, number, show}; rows: arrays of values, by which they are sorted; show makes a cell's content of one.
 */
function table(caption, columns, rows, options = {}) {
  const heads = columns.map((column) =>
    html("th", { scope: "col", class: column.number ? "number" : null },
      options.fixed ? column.name : html("button", { type: "button", class: "sort" }, column.name)));
  const body = html("tbody");
  const said = html("span", { role: "status" });
  const back = html("button", { type: "button", onclick: () => turn(-1) }, "Previous");
  const on = html("button", { type: "button", onclick: () => turn(1) }, "Next");
  const size = () => (document.documentElement.classList.contains("printing") ? options.printed || PRINTED : options.page || PAGE);
  let page = 0;
  const cell = (row, column, at) => {
    const value = row[at];
    const shown = column.show ? column.show(value, row) : column.number && value !== null ? whole(value) : value;
    const content = shown === null || shown === undefined ? "" : shown;
    return at === (options.head || 0)
      ? html("th", { scope: "row" }, content)
      : html("td", { class: column.number ? "number" : null }, content);
  };
  function draw() {
    const from = page * size();
    const part = rows.slice(from, from + size());
    body.replaceChildren(...part.map((row) => html("tr", {}, columns.map((column, at) => cell(row, column, at)))));
    said.textContent = `${whole(from + 1)} to ${whole(from + part.length)} of ${whole(rows.length)}`;
    back.disabled = page === 0;
    on.disabled = from + part.length >= rows.length;
  }
  function turn(step) {
    page += step;
    draw();
  }
  sorter(heads, (at, down) => {
    rows = [...rows].sort((a, b) => (down ? compare(b[at], a[at]) : compare(a[at], b[at])));
    page = 0;
    draw();
  });
  draw();
  const paged = rows.length > size();
  const whole_table = html("div", { class: "table", tabindex: "0", role: "region", "aria-label": caption },
    html("table", {}, html("caption", {}, caption), html("thead", {}, html("tr", {}, heads)), body));
  const out = html("div", { class: "pages" }, whole_table,
    paged ? html("nav", { class: "pager", "aria-label": `Pages of ${caption}` }, back, on, said) : null);
  if (paged) out.addEventListener("reprint", () => { page = 0; draw(); });
  return out;
}

const section = (title, ...children) => {
  const id = fresh("part");
  return html("section", { "aria-labelledby": id }, html("h3", { id }, title), ...children);
};
