// The list: sort, filter, open a ring, print.
const rows = [...document.querySelectorAll("#rings tbody tr")];
const known = new Map(rows.map((row, at) => [row.dataset.ring, at]));
const place_of_rings = document.getElementById("open");
const details = (at) => JSON.parse(document.getElementById(`data-${at}`).textContent);

const list_body = document.querySelector("#rings tbody");
if (list_body) {
  const heads = [...document.querySelectorAll("#rings thead th")];
  sorter(heads, (at, down) => {
    const value = (row) => {
      const cell = row.cells[at];
      if (cell.dataset.value === undefined) return cell.textContent;
      return cell.dataset.value === "" ? null : Number(cell.dataset.value);
    };
    list_body.append(...rows.map((row) => [value(row), row])
      .sort((a, b) => (down ? compare(b[0], a[0]) : compare(a[0], b[0]))).map((pair) => pair[1]));
  });
  const form = document.getElementById("filter");
  const chosen = (name) => new Set([...form.querySelectorAll(`[name=${name}]:checked`)].map((box) => box.value));
  const filter = () => {
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const least = Number(form.elements.score.value) || 0;
    const [statuses, kinds] = [chosen("status"), chosen("kind")];
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const has = JSON.parse(row.dataset.kinds);
      row.hidden = !(words.every((word) => text.includes(word)) && Number(row.dataset.score) >= least &&
        statuses.has(row.dataset.status) && [...kinds].every((kind) => has.includes(kind)));
      shown += !row.hidden;
    }
    document.getElementById("shown").textContent = `${whole(shown)} of ${counted(rows.length, "ring", "rings")}`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();
}

let opened = -1;
function open(at) {
  opened = at;
  rows.forEach((row, i) => row.classList.toggle("current", i === at));
  if (at < 0) return place_of_rings.replaceChildren();
  const article = ring(details(at));
  const visible = rows.filter((row) => !row.hidden);
  const order = [...list_body.children].filter((row) => visible.includes(row));
  const here = order.indexOf(rows[at]);
  const way = (text, row) => (row ? html("a", { href: `#${encodeURIComponent(row.dataset.ring)}` }, text) : null);
  article.querySelector("h2").after(html("nav", { class: "way", "aria-label": "Rings" }, html("a", { href: "#rings" }, "All rings"),
    way("Previous ring", order[here - 1]), way("Next ring", order[here + 1]),
    html("button", { type: "button", onclick: () => window.print() }, "Print")));
  place_of_rings.replaceChildren(article);
  return article.querySelector("h2").focus();
}

function follow() {
  let name = "";
  try { name = decodeURIComponent(location.hash.slice(1)); } catch { /* no ring is called so */ }
  if (known.has(name)) open(known.get(name));
}
window.addEventListener("hashchange", follow);
follow();

// What is printed: the rings that are ticked, else the one that is open, each whole; else the list.
let before = null;
window.addEventListener("beforeprint", () => {
  document.documentElement.classList.add("printing");
  const ticked = rows.flatMap((row, at) => (row.querySelector("input").checked ? [at] : []));
  before = [...place_of_rings.childNodes];
  if (ticked.length) place_of_rings.replaceChildren(...ticked.map((at) => ring(details(at))));
  document.documentElement.classList.toggle("rings-only", place_of_rings.childElementCount > 0);
  for (const part of place_of_rings.querySelectorAll("details:not([open], .spare)")) {
    part.open = true;
    part.classList.add("opened");
  }
  place_of_rings.querySelectorAll(".pages").forEach((pages) => pages.dispatchEvent(new Event("reprint")));
});
window.addEventListener("afterprint", () => {
  document.documentElement.classList.remove("printing", "rings-only");
  place_of_rings.replaceChildren(...before);
  place_of_rings.querySelectorAll("details.opened").forEach((part) => { part.open = false; part.classList.remove("opened"); });
  place_of_rings.querySelectorAll(".pages").forEach((pages) => pages.dispatchEvent(new Event("reprint")));
});
const print_button = document.getElementById("print");
if (print_button) print_button.addEventListener("click", () => window.print());
