// A ring, drawn when it is asked for.
function bar(start, length, low, high) {
  const x = (bits) => (160 * (bits - low)) / (high - low || 1);
  const [a, b] = [x(Math.min(start, start + length)), x(Math.max(start, start + length))];
  return svg("svg", { width: 162, height: 12, "aria-hidden": "true", class: length < 0 ? "bits less" : "bits" },
    svg("line", { x1: x(0), x2: x(0), y1: 0, y2: 12, class: "tick" }),
    svg("rect", { x: a.toFixed(1), width: Math.max(1, b - a).toFixed(1), y: 1, height: 10 }));
}

function kinds(detail) {
  if (!detail.by_kind.length) return html("p", {}, "What each kind brings was not kept by this run.");
  const total = d3.sum(detail.by_kind, (row) => row[4]);
  let reached = 0;
  const rows = detail.by_kind.map(([, words, values, members, bits, without, tied]) => {
    const line = [words, values, members, bits, [reached, bits], without, tied];
    reached += bits;
    return line;
  });
  rows.push(["what two strangers need", null, null, -detail.prior, [total, -detail.prior], "", null]);
  const low = Math.min(0, total - detail.prior);
  return [
    html("p", {}, `In bits of an average member. Together ${detail.bits.toFixed(1)} bits beyond what two strangers need.`),
    table(`What each kind of evidence brings, ring ${detail.id}`, [{ name: "kind" }, { name: "values", number: true }, { name: "members", number: true },
      { name: "bits", number: true, show: (bits) => signed(bits) }, { name: "waterfall", show: ([start, bits]) => bar(start, bits, low, Math.max(total, 0)) },
      { name: "score without it", number: true, show: (text) => text }, { name: "members still tied", number: true }], rows, { fixed: true }),
  ];
}

function score(detail) {
  const totals = detail.factors.map((row) => row[3]);
  const [low, high] = d3.extent([0, ...totals]);
  const rows = detail.factors.map(([name, words, bits, total]) => [words, bits, [total - bits, bits], total, name]);
  return table(`The score of ring ${detail.id}, step by step`, [{ name: "because" }, { name: "bits", number: true, show: (bits) => signed(bits) },
    { name: "waterfall", show: ([start, bits]) => bar(start, bits, low, high) }, { name: "so far", number: true, show: (bits) => signed(bits) },
    { name: "factor" }], rows, { fixed: true });
}

function values(detail) {
  const { rows, more } = detail.evidence;
  const link = (names, row) => html("span", {}, names.flatMap((id, at) => [at ? ", " : "", known.has(id) ? html("a", { href: `#${encodeURIComponent(id)}` }, id) : id]),
    row[8] ? ` and ${whole(row[8])} more` : "");
  const columns = [{ name: "kind" }, { name: "value", show: (text, row) => html("span", { class: "name" }, row[9] ? `${text} (${row[9]})` : text) },
    { name: "members", number: true }, { name: "outsiders", number: true }, { name: "bits", number: true, show: (bits) => signed(bits) },
    { name: "first" }, { name: "last" }, { name: "also in", show: link }];
  const lines = rows.map(([kind, text, raw, ...rest]) => [kind, text, ...rest, raw]);
  const out = [table(`Values that tie ring ${detail.id}`, columns, lines, { page: 20, head: 1 })];
  if (more.length) {
    out.push(html("p", {}, "Not listed here: " + more.map(([kind, n, bits]) => `${whole(n)} more of ${kind} (${signed(bits)} bits)`).join(", ") + "."));
  }
  return out;
}

function members(detail) {
  const part = detail.members;
  const rows = part.account.map((name, at) => [name, part.tier[at], part.confidence[at], part.bits[at], part.exchanges[at], part.signed_up[at],
    part.banned[at], part.first[at], part.last[at]]);
  const tiers = part.tiers.filter(([, n]) => n).map(([tier, n]) => `${whole(n)} ${tier}`).join(", ");
  const short = part.all > rows.length ? ` The ${whole(rows.length)} surest are listed here; the other ${whole(part.all - rows.length)} are in the case: linkage ring ${detail.id} --all.` : "";
  return [html("p", {}, `${tiers}.${short}`),
    table(`Members of ring ${detail.id}`, [{ name: "account", show: (text) => html("span", { class: "name" }, text) }, { name: "tier" },
      { name: "confidence", number: true, show: (n) => (n > 0.99 ? ">0.99" : n.toFixed(2)) }, { name: "bits", number: true, show: (n) => n.toFixed(1) },
      { name: "exchanges", number: true }, { name: "signed up" }, { name: "banned" }, { name: "first seen" }, { name: "last seen" }], rows, { printed: 500 })];
}

function bystanders(detail) {
  if (!detail.bystanders.length) return html("p", {}, "No account outside the ring has a value of it that would link two accounts by itself.");
  return [html("p", {}, "They touch the ring and are no members: neighbours, the next piece of a longer chain, or the owner of a stolen card."),
    table(`Bystanders of ring ${detail.id}`, [{ name: "account", show: (text) => html("span", { class: "name" }, text) },
      { name: "bits", number: true, show: (n) => n.toFixed(1) }, { name: "how", show: (text) => html("span", { class: "name" }, text) }], detail.bystanders, { page: 20 })];
}

function decided(detail) {
  if (!detail.decisions.length) return html("p", {}, "Nobody has decided on this ring yet.");
  return table(`Decisions on ring ${detail.id}, the last one counts`, [{ name: "decision" }, { name: "by" }, { name: "at (UTC)" },
    { name: "tags", show: (tags) => tags.join(", ") }, { name: "note" }], detail.decisions, { fixed: true });
}

function pictures(detail) {
  const drawn = read(detail.picture);
  const notes = [];
  if (drawn.accounts.some((node) => node.n > 1)) {
    notes.push(detail.picture.exact ? "Accounts that share the same values are drawn as one."
      : "Accounts that share most with each other are drawn as one; what only they share is told with them.");
  }
  if (drawn.values.some((node) => node.n > 1)) notes.push("Values alike are drawn as one.");
  if (drawn.values.some((node) => node.common)) notes.push("What more than half have is drawn without lines, until it is chosen.");
  if (drawn.thinned) notes.push("Dark are only so many lines as hold it together, the strongest values first, so it is tied more closely than it looks: choose a node to see all of its lines.");
  if (detail.picture.untied) notes.push(`${counted(detail.picture.untied, "member has", "members have")} none of the ring's values and ${detail.picture.untied === 1 ? "is" : "are"} not drawn.`);
  return [notes.length ? html("p", {}, notes.join(" ")) : null, graph(detail, drawn),
    html("details", {}, html("summary", {}, "Map: what is shared with whom, as a table"), map(detail, drawn))];
}

function ring(detail) {
  const heading = html("h2", { tabindex: "-1", id: fresh("ring") }, `Ring ${detail.id}`);
  const line = (name, text) => (text ? html("p", {}, html("strong", {}, `${name} `), text) : null);
  const seen = detail.first ? `, seen ${detail.first} to ${detail.last}` : "";
  return html("article", { class: "ring", "aria-labelledby": heading.id }, heading,
    html("p", { class: "facts" }, `Rank ${detail.rank}, score ${detail.score_shown}, q ${detail.q_shown}, ${detail.status}` +
      `${detail.listed ? "" : ", below the line"}. ${counted(detail.accounts, "account", "accounts")}, ${counted(detail.exchanges, "exchange", "exchanges")}${seen}.`),
    html("p", { class: "summary" }, detail.summary),
    line("Doubts:", detail.doubts || "Nothing in the exports speaks for an innocent explanation."),
    line("Weakest bridge:", detail.bridge), line("What would change the verdict:", detail.verdict), line("By decision:", detail.decided),
    section("Decisions", decided(detail)), section("Who shares what", pictures(detail)), section("When they acted", timeline(detail)),
    section("What ties them", kinds(detail)), section("Why this score", score(detail)), section("Values", values(detail)),
    section("Members", members(detail)), section("Bystanders", bystanders(detail)));
}
