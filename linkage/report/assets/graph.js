// The picture of a ring: who shares what. Its nodes were chosen when the report was made (linkage/report/picture.py).
const WIDTH = 1000;
const HEIGHT = 640;
// As the style of Neo4j Browser has them, dark enough for white figures; kinds that have none take the others in turn.
const COLOURS = { payment: "#8c6d00", ip: "#2e7d32", ip_net: "#558b2f", device: "#6d4c9f", user_agent: "#8e6bbf", prompt: "#b0305c", burst: "#d1495b",
  handoff: "#c2185b", balance: "#ad1457", email: "#00756f", email_domain: "#0b6e8a", phone: "#3a6ea5", org: "#5a5a5a", "": "#444444" };
const SPARE = ["#b3580a", "#7a4a2b", "#3d6b1f", "#4b5320", "#9c4a1a"];
const TICKS = 320;
const CROWD = 60;
// Lines for each node; with more of them nobody follows one with the eye.
const LEGIBLE = 2;
const HUB = 6;

/** The picture's nodes and edges, with names as they are shown. */
function read(picture) {
  const kinds = [...new Set(picture.values.map((value) => value[0]))];
  const words = (kind, n) => (kind ? picture.words[kind][n === 1 ? 0 : 1] : n === 1 ? "value" : "other values");
  const accounts = picture.accounts.map(([n, names, inside]) => ({
    type: "account", n, names, inside, label: n === 1 ? names[0] : `${whole(n)} accounts`, kind: null,
    radius: n === 1 ? 7 : Math.min(17, 11 + Math.log10(n) * 2), near: [],
  }));
  const values = picture.values.map(([kind, n, names, members, outsiders]) => ({
    type: "value", n, names, members, outsiders, kind, word: words(kind, n), near: [],
    label: n === 1 ? names[0] : `${whole(n)} ${words(kind, n)}`,
    radius: n === 1 ? 7 : Math.min(17, 11 + Math.log10(n) * 2),
    colour: Object.hasOwn(COLOURS, kind) ? COLOURS[kind] : SPARE[kinds.indexOf(kind) % SPARE.length],
  }));
  const bystanders = picture.bystanders.map(([n, names]) => ({
    type: "bystander", n, names, label: n === 1 ? names[0] : `${whole(n)} bystanders`, kind: null, radius: n === 1 ? 7 : 12, near: [],
  }));
  const tie = (source, target, n) => {
    const link = { source, target, n };
    source.near.push(link);
    target.near.push(link);
    return link;
  };
  const links = picture.edges.map(([account, value, n]) => tie(accounts[account], values[value], n));
  // What most have tells nobody apart: its lines would cover all others, so they wait until it is chosen.
  for (const value of values) {
    value.common = accounts.length > 20 && value.near.length > accounts.length / 2;
    if (value.common) value.radius = Math.max(value.radius, 11);
  }
  picture.bystanders.forEach(([n, , near], at) => near.forEach((value) => links.push(tie(bystanders[at], values[value], n))));
  const inside = (node) => node.inside.map(([kind, n]) => `${whole(n)} ${words(kind, n)}`).join(", ");
  const nodes = [...accounts, ...values, ...bystanders];
  const thinned = thin(nodes, links);
  return { accounts, values, bystanders, nodes, links, kinds, words, inside, thinned };
}

/**
 * Chooses the lines that are drawn: all, or where they are too many a spanning tree (Kruskal 1956,
 * doi:10.2307/2033241) of those that tie most members, by the strongest values first. So each account hangs on the
 * strongest value that it has, and the tree holds together what hangs together. The others are faint until an end is
 * chosen.
 */
function thin(nodes, links) {
  const open = links.filter((link) => !link.target.common);
  for (const link of links) link.waits = link.target.common;
  if (nodes.length <= CROWD / 2 || open.length <= LEGIBLE * nodes.length) return false;
  const place = new Map(nodes.map((node, at) => [node, at]));
  const parent = nodes.map((_, at) => at);
  const root = (at) => {
    while (parent[at] !== at) at = parent[at] = parent[parent[at]];
    return at;
  };
  const stranger = (link) => link.source.type === "bystander";
  for (const link of d3.sort(open, (a, b) => stranger(a) - stranger(b) || b.n - a.n || place.get(a.target) - place.get(b.target))) {
    const [one, other] = [root(place.get(link.source)), root(place.get(link.target))];
    link.waits = one === other;
    parent[one] = other;
  }
  return true;
}

const listed = (names, n) => names.join(", ") + (n > names.length ? ` and ${whole(n - names.length)} more` : "");

/** What a node is, in words. */
function told(node, drawn) {
  if (node.type === "account") {
    const who = node.n === 1 ? `Account ${node.names[0]}` : `${whole(node.n)} accounts: ${listed(node.names, node.n)}`;
    const within = node.inside.length ? `, tied among each other alone by ${drawn.inside(node)}` : "";
    const shares = node.near.map((link) => link.target.label);
    return `${who}${within}. Shares ${listed(shares.slice(0, 12), shares.length) || "nothing with others"}.`;
  }
  if (node.type === "bystander") {
    const who = node.n === 1 ? `Bystander ${node.names[0]}` : `${whole(node.n)} bystanders: ${listed(node.names, node.n)}`;
    return `${who}, no member. Touches ${node.near.map((link) => link.target.label).slice(0, 12).join(", ")}.`;
  }
  const others = node.outsiders === 0 ? "nobody else" : counted(node.outsiders, "outsider", "outsiders");
  const most = node.n === 1 || node.outsiders === 0 ? others : `at most ${others} each`;
  const what = node.n === 1 ? `${node.word} ${node.names[0]}` : `${whole(node.n)} ${node.word}: ${listed(node.names, node.n)}`;
  const who = node.near.filter((link) => link.source.type === "account").map((link) => link.source.label);
  return `${what}. Shared by ${counted(node.members, "member", "members")} and ${most}: ` +
    `${listed(who.slice(0, 12), who.length)}.`;
}

/** Steps from a node to each node; what cannot be reached is a little further off than what can. */
function steps(nodes, from) {
  const far = new Map([[from, 0]]);
  for (const node of far.keys()) {
    for (const { source, target, waits } of node.near) {
      const other = node === source ? target : source;
      if (!waits && !far.has(other)) far.set(other, far.get(node) + 1);
    }
  }
  const most = Math.max(...far.values()) + 2;
  return new Map(nodes.map((node) => [node, far.get(node) ?? most]));
}

/**
 * Finds a place for each node; the same picture gives the same places. It starts from the steps to four nodes that lie
 * far from each other, as Harel and Koren's high-dimensional embedding does (doi:10.7155/jgaa.00051): forces alone leave a
 * long chain in a tangle.
 */
function place({ nodes: all, links }) {
  const nodes = all.filter((node) => !node.common);
  const apart = all.filter((node) => node.common);
  const margin = apart.length ? 170 : 0;
  apart.forEach((node, at) => { [node.x, node.y] = [90, (HEIGHT * (at + 1)) / (apart.length + 1)]; });
  const crowded = nodes.length > CROWD;
  const length = crowded ? 30 : 70;
  const furthest = (...from) => d3.greatest(nodes, (node) => Math.min(...from.map((steps) => steps.get(node))));
  const a = steps(nodes, furthest(steps(nodes, nodes[0])));
  const b = steps(nodes, furthest(a));
  const c = steps(nodes, furthest(a, b));
  const d = steps(nodes, furthest(c));
  nodes.forEach((node, at) => {
    // A small turn for each, or nodes alike would lie on each other.
    node.x = ((a.get(node) - b.get(node)) * length) / 2 + 8 * Math.cos(2.4 * at);
    node.y = ((c.get(node) - d.get(node)) * length) / 2 + 8 * Math.sin(2.4 * at);
    node.order = a.get(node);
  });
  const pulling = links.filter((link) => !link.waits);
  const degree = d3.rollup(pulling.flatMap((link) => [link.source, link.target]), (at) => at.length, (node) => node);
  d3.forceSimulation(nodes)
    .force("link", d3.forceLink(pulling).distance(length).strength((link) => 1 / Math.min(degree.get(link.source), degree.get(link.target))))
    .force("charge", d3.forceManyBody().strength((node) => (crowded ? -50 : -260) - 3 * node.radius))
    .force("x", d3.forceX().strength(0.025))
    .force("y", d3.forceY().strength(0.045))
    .force("collide", d3.forceCollide((node) => node.radius + (crowded ? 4 : 14)))
    .alpha(crowded ? 0.5 : 1).stop().tick(TICKS);
  const [left, right] = d3.extent(nodes, (node) => node.x);
  const [top, bottom] = d3.extent(nodes, (node) => node.y);
  const stretch = Math.min((WIDTH - 170 - margin) / (right - left || 1), (HEIGHT - 90) / (bottom - top || 1), 2.5);
  for (const node of nodes) {
    node.x = (WIDTH + margin) / 2 + (node.x - (left + right) / 2) * stretch;
    node.y = HEIGHT / 2 + (node.y - (top + bottom) / 2) * stretch;
  }
  // Where the picture was made smaller, nodes may lie on each other now.
  d3.forceSimulation(nodes).force("collide", d3.forceCollide((node) => node.radius + 2)).stop().tick(60);
  for (const node of nodes) {
    node.x = Math.min(Math.max(node.x, margin + 24), WIDTH - 24);
    node.y = Math.min(Math.max(node.y, 24), HEIGHT - 30);
  }
}

/** Labels that would cover another one or a node wait until their node is chosen. */
function legible(nodes) {
  const drawnTies = (node) => d3.count(node.near, (link) => (link.waits ? NaN : 1));
  const boxes = nodes.map((node) => [node.x - node.radius, node.y - node.radius, node.x + node.radius, node.y + node.radius]);
  const order = [...nodes].sort((a, b) => (b.n > 1) - (a.n > 1) || (b.type === "value") - (a.type === "value") || drawnTies(b) - drawnTies(a));
  for (const node of order) {
    // Its number stands in it already.
    node.clear = node.type === "value" || node.n === 1;
    if (!node.clear) continue;
    const half = cut(node.label).length * 3.3 + 2;
    const y = node.y + node.radius;
    const box = [node.x - half, y + 2, node.x + half, y + 14];
    // What a crowd stands around is named across the crowd, but over no number.
    const inTheWay = drawnTies(node) < HUB ? boxes : boxes.filter((_, at) => at >= nodes.length || nodes[at].n > 1);
    node.clear = box[0] > 0 && box[2] < WIDTH &&
      !inTheWay.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3]);
    if (node.clear) boxes.push(box);
  }
}

function graph(detail, drawn) {
  const { nodes, links } = drawn;
  if (!nodes.length) return html("p", {}, "No single value ties these accounts.");
  place(drawn);
  legible(nodes);
  const most = d3.max(links, (link) => link.n);
  const lines = links.map((link) => svg("line", {
    class: `tie${link.target.common ? " waits" : link.waits ? " faint" : ""}`, "stroke-width": (1 + 3 * Math.log1p(link.n - 1) / Math.log1p(most)).toFixed(1),
  }));
  const marks = nodes.map((node) => {
    const r = node.radius;
    const shape = node.type !== "value"
      ? svg("circle", { r, class: node.type })
      : svg("rect", { class: node.common ? "common" : null, x: -r, y: -r, width: 2 * r, height: 2 * r, rx: 3, fill: node.colour });
    const inner = node.n > 1 ? svg("text", { class: node.type === "bystander" ? "inner dark" : "inner", y: 4 }, d3.format(".3~s")(node.n)) : null;
    const label = svg("text", { class: node.clear ? "label" : "label waiting", y: r + 12 }, cut(node.label));
    return svg("g", { class: "node", tabindex: "-1", role: "button", "aria-pressed": "false", "aria-label": told(node, drawn) },
      svg("title", {}, told(node, drawn)), shape, inner, label);
  });
  const stage = svg("g", {}, svg("g", { "aria-hidden": "true" }, lines), marks);
  const name = `Picture of ring ${detail.id}`;
  const board = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "graph", role: "group", "aria-label":
    `${name}: ${counted(drawn.accounts.length, "node", "nodes")} for accounts, ${whole(drawn.values.length)} for what they share. ` +
    "Arrow keys walk, Enter chooses." }, stage);
  const said = html("p", { role: "status", class: "told" }, "Choose a node to see who shares it.");
  const settle = () => {
    lines.forEach((line, at) => {
      const { source, target } = links[at];
      fill(line, { x1: source.x.toFixed(1), y1: source.y.toFixed(1), x2: target.x.toFixed(1), y2: target.y.toFixed(1) }, []);
    });
    marks.forEach((mark, at) => mark.setAttribute("transform", `translate(${nodes[at].x.toFixed(1)},${nodes[at].y.toFixed(1)})`));
  };
  settle();

  let chosen = -1;
  const choose = (at) => {
    chosen = at === chosen ? -1 : at;
    const near = new Set(chosen < 0 ? [] : nodes[chosen].near.flatMap((link) => [link.source, link.target]));
    board.classList.toggle("choosing", chosen >= 0);
    marks.forEach((mark, i) => {
      mark.classList.toggle("near", near.has(nodes[i]) || i === chosen);
      mark.setAttribute("aria-pressed", String(i === chosen));
    });
    lines.forEach((line, i) => line.classList.toggle("near", chosen >= 0 && (links[i].source === nodes[chosen] || links[i].target === nodes[chosen])));
    said.textContent = chosen < 0 ? "Choose a node to see who shares it." : told(nodes[chosen], drawn);
  };
  let held = 0;
  marks[0].setAttribute("tabindex", "0");
  const hold = (at) => {
    marks[held].setAttribute("tabindex", "-1");
    held = (at + marks.length) % marks.length;
    marks[held].setAttribute("tabindex", "0");
    marks[held].focus();
  };
  marks.forEach((mark, at) => {
    mark.addEventListener("click", () => { hold(at); choose(at); });
    mark.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (step) hold(at + step);
      else if (event.key === "Home") hold(0);
      else if (event.key === "End") hold(-1);
      else if (event.key === "Enter" || event.key === " ") choose(at);
      else if (event.key === "Escape" && chosen >= 0) choose(chosen);
      else return;
      event.preventDefault();
    });
  });

  // The wheel scrolls the page; with Ctrl, or by the buttons, it zooms.
  const zoom = d3.zoom().scaleExtent([0.5, 12]).filter((event) => event.type !== "wheel" || event.ctrlKey)
    .on("zoom", (event) => stage.setAttribute("transform", event.transform));
  const view = d3.select(board).call(zoom).on("dblclick.zoom", null);
  d3.selectAll(marks).data(nodes).call(d3.drag().clickDistance(4).on("drag", (event, node) => {
    [node.x, node.y] = [event.x, event.y];
    settle();
  }));
  const button = (text, act) => html("button", { type: "button", onclick: act }, text);
  return html("div", { class: "drawn" },
    html("div", { class: "tools" },
      button("Zoom in", () => view.call(zoom.scaleBy, 1.5)), button("Zoom out", () => view.call(zoom.scaleBy, 1 / 1.5)),
      button("Whole picture", () => view.call(zoom.transform, d3.zoomIdentity)), legend(drawn)),
    board, said);
}

function legend({ kinds, words, values, bystanders }) {
  const item = (text, mark) => html("li", {}, svg("svg", { width: 14, height: 14, "aria-hidden": "true" }, mark), text);
  return html("ul", { class: "legend" }, item("accounts", svg("circle", { cx: 7, cy: 7, r: 6, class: "account" })),
    bystanders.length ? item("bystanders", svg("circle", { cx: 7, cy: 7, r: 5, class: "bystander" })) : null,
    kinds.map((kind) => item(words(kind, 2), svg("rect", { x: 1, y: 1, width: 12, height: 12, rx: 2, fill:
      values.find((value) => value.kind === kind).colour }))));
}

/** The same as a table: a row for each account node, a column for each value node, in an order that shows blocks. */
function map(detail, drawn) {
  const { accounts, values, bystanders } = drawn;
  if (!values.length) return null;
  const rows = d3.sort(accounts, (node) => node.order);
  const columns = d3.sort(values, (node) => (node.common ? 1e9 : node.order));
  const mean = (node, side, order) => d3.mean(node.near, (link) => order.get(link[side])) ?? 1e9;
  for (let round = 0; round < 4; round++) {
    const across = new Map(columns.map((node, at) => [node, at]));
    rows.forEach((node) => { node.middle = mean(node, "target", across); });
    rows.sort((a, b) => a.middle - b.middle);
    const down = new Map(rows.map((node, at) => [node, at]));
    columns.forEach((node) => { node.middle = mean(node, "source", down); });
    columns.sort((a, b) => drawn.kinds.indexOf(a.kind) - drawn.kinds.indexOf(b.kind) || a.middle - b.middle);
  }
  const cell = (row, column) => {
    const link = row.near.find((tie) => tie.target === column);
    if (!link) return html("td");
    if (row.type === "bystander") return html("td", { class: "tied" }, "○");
    const part = Math.ceil(4 * link.n / row.n);
    return html("td", { class: `tied p${part}` }, row.n === 1 ? "●" : whole(link.n));
  };
  const caption = `What is shared with whom in ring ${detail.id}`;
  const spans = d3.groups(columns, (column) => column.kind);
  return html("div", { class: "table map", tabindex: "0", role: "region", "aria-label": caption },
    html("table", {}, html("caption", {}, caption, html("span", {}, " A dot: the account has the value; a hollow one: a bystander has. A number: so many of the accounts have one of the values.")),
      html("thead", {},
        html("tr", {}, html("td"), spans.map(([kind, of]) => html("th", { scope: "colgroup", colspan: of.length }, drawn.words(kind, 2)))),
        html("tr", {}, html("td"), columns.map((column) => html("th", { scope: "col" }, html("span", { title: told(column, drawn) }, cut(column.label, 22)))))),
      html("tbody", {}, [...rows, ...bystanders].map((row) => html("tr", {}, html("th", { scope: "row", title: told(row, drawn) }, cut(row.label, 30)),
        columns.map((column) => cell(row, column)))))));
}
