// Exchanges by account and hour as strips of five shades, with sign-ups and bans; times are hours since 1970, UTC.
const BINS = 180;
const LABEL = 150;
const STRIP = 820;
const LINE = 15;
const SHADES = 5;
const STEPS = [1, 2, 3, 6, 12, 24, 48, 168, 336, 720, 2160, 8760];

const cells = ([steps, counts]) => {
  let hour = 0;
  return steps.map((step, at) => [(hour += step), counts[at]]);
};
const span = (pairs) => (pairs.length ? [pairs[0][0], pairs[pairs.length - 1][0] + 1] : []);

function timeline(detail) {
  const { width, rows, total, sign_ups: ups, bans } = detail.timeline;
  const all = cells(total);
  const lives = rows.map(([name, steps, counts, up, ban]) => ({ name, cells: cells([steps, counts]), up, ban }));
  const marks = { up: d3.zip(...ups), ban: d3.zip(...bans) };
  const busy = span(all);
  const ends = d3.extent([...busy, ...span(marks.up), ...span(marks.ban)]);
  if (ends[0] === undefined) return html("p", {}, "The exports say nothing of when these accounts acted.");
  // Accounts that signed up years before would press what they did lately into a corner.
  const far = busy.length && ends[1] - ends[0] > 3 * (busy[1] - busy[0]);
  const start = far ? busy : ends;
  let from = start[0];
  let hours = Math.max(24, start[1] - start[0]);

  const board = svg("svg", { class: "timeline", role: "group", "aria-label": `Exchanges of ring ${detail.id} by account and time` });
  const said = html("p", { role: "status", class: "told" });
  const numbers = html("div");

  function draw() {
    const bin = STEPS.find((step) => step >= width && hours / step <= BINS) || Math.ceil(hours / BINS);
    const first = Math.floor(from / bin) * bin;
    const bins = Math.ceil((from + hours - first) / bin);
    const x = (hour) => LABEL + (STRIP * (hour - first)) / (bins * bin);
    const binned = (pairs) => d3.rollups(pairs.filter(([hour]) => hour >= first && hour < first + bins * bin),
      (of) => d3.sum(of, (pair) => pair[1]), ([hour]) => Math.floor((hour - first) / bin));
    const sums = lives.map((life) => binned(life.cells));
    const most = d3.max(sums.flat(), (pair) => pair[1]) || 1;
    const most_total = d3.max(binned(all), (pair) => pair[1]) || 1;
    const head = 74;
    const height = head + LINE * lives.length + 6;
    const side = STRIP / bins;
    const strip = (pairs, y) => d3.range(1, SHADES + 1).map((shade) => svg("path", { class: `shade${shade}`, d:
      pairs.filter((pair) => Math.ceil((SHADES * pair[1]) / most) === shade)
        .map(([at]) => `M${(LABEL + at * side).toFixed(1)} ${y}h${Math.max(0.8, side - 0.3).toFixed(1)}v${LINE - 3}h-${Math.max(0.8, side - 0.3).toFixed(1)}z`).join("") }));
    const sign = (kind, hour, y) => {
      if (hour === null || hour < first || hour >= first + bins * bin) return null;
      const at = x(hour).toFixed(1);
      return kind === "up" ? svg("path", { class: "up", d: `M${at} ${y + 1}l4 5l-4 5l-4-5z` })
        : svg("path", { class: "ban", d: `M${at - 4} ${y + 2}l8 8m0-8l-8 8` });
    };
    const scale = d3.scaleUtc([new Date(first * 36e5), new Date((first + bins * bin) * 36e5)], [LABEL, LABEL + STRIP]);
    const ticks = scale.ticks(8).map((time) => svg("g", { transform: `translate(${scale(time).toFixed(1)},0)` },
      svg("line", { class: "tick", y1: 14, y2: height }), svg("text", { class: "axis", y: 10 }, scale.tickFormat(8)(time))));
    const bars = binned(all).map(([at, n]) => svg("rect", { class: "bar", x: (LABEL + at * side).toFixed(1), width: Math.max(0.8, side - 0.3).toFixed(1),
      y: (50 - (32 * n) / most_total).toFixed(1), height: ((32 * n) / most_total).toFixed(1) }));
    const crowd = ["up", "ban"].flatMap((kind) => binned(marks[kind]).map(([at, n]) => {
      const mark = sign(kind, first + at * bin + bin / 2, 55);
      return svg("g", {}, svg("title", {}, `${whole(n)} ${kind === "up" ? "signed up" : "banned"}, ${stamp(first + at * bin)}`), mark);
    }));
    board.setAttribute("viewBox", `0 0 ${LABEL + STRIP + 10} ${height}`);
    board.replaceChildren(svg("g", { "aria-hidden": "true" }, ticks),
      svg("g", { role: "img", "aria-label": `All ${whole(detail.accounts)} accounts` }, svg("text", { class: "row", x: 0, y: 46 }, "all accounts"), bars, crowd),
      ...lives.map((life, at) => {
        const y = head + LINE * at;
        const text = row(life);
        return svg("g", { role: "img", "aria-label": text }, svg("title", {}, text), svg("text", { class: "row", x: 0, y: y + 10 }, cut(life.name, 22)),
          strip(sums[at], y), sign("up", life.up, y), sign("ban", life.ban, y));
      }));
    const outside = (kind) => d3.sum(marks[kind].filter(([hour]) => hour < first || hour >= first + bins * bin), (pair) => pair[1]);
    said.textContent = `${stamp(first)} to ${stamp(first + bins * bin)} UTC, ${bin === 1 ? "an hour" : `${whole(bin)} hours`} a cell, ` +
      `darkest at ${counted(most, "exchange", "exchanges")}. Outside this view: ${counted(outside("up"), "sign-up", "sign-ups")}, ${counted(outside("ban"), "ban", "bans")}.`;
    numbers.replaceChildren(table(`Exchanges by time, ring ${detail.id}`, [{ name: "from (UTC)" }, { name: "exchanges", number: true },
      { name: "sign-ups", number: true }, { name: "bans", number: true }], table_rows(first, bin, [binned(all), binned(marks.up), binned(marks.ban)])));
  }
  const table_rows = (first, bin, parts) => {
    const sums = parts.map((part) => new Map(part));
    const at = [...new Set(sums.flatMap((part) => [...part.keys()]))].sort((a, b) => a - b);
    return at.map((place) => [stamp(first + place * bin), ...sums.map((part) => part.get(place) || 0)]);
  };
  const busiest = (life) => (life.cells.length ? d3.greatest(life.cells, (pair) => pair[1]) : null);
  const row = (life) => {
    const top = busiest(life);
    const sent = d3.sum(life.cells, (pair) => pair[1]);
    return [`${life.name}: ${counted(sent, "exchange", "exchanges")}`, top ? `most (${whole(top[1])}) from ${stamp(top[0])}` : null,
      life.up === null ? null : `signed up ${stamp(life.up)}`, life.ban === null ? null : `banned ${stamp(life.ban)}`]
      .filter(Boolean).join(", ");
  };
  const move = (part, zoom) => () => {
    const middle = from + hours / 2 + part * hours;
    hours = Math.min(Math.max(24, hours * zoom), ends[1] - ends[0] + 24);
    from = Math.min(Math.max(middle - hours / 2, ends[0] - hours / 2), ends[1] - hours / 2);
    draw();
  };
  const show = (view) => () => { [from, hours] = [view[0], Math.max(24, view[1] - view[0])]; draw(); };
  const button = (text, act) => html("button", { type: "button", onclick: act }, text);
  draw();
  const note = detail.accounts > lives.length ? `The ${whole(lives.length)} accounts with most exchanges of ${whole(detail.accounts)}; the first line sums up all. ` : "";
  return html("div", { class: "drawn" },
    html("p", {}, `${note}A diamond is a sign-up, a cross a ban.${width > 1 ? ` Kept by ${whole(width)} hours, since there are so many.` : ""}`),
    html("div", { class: "tools" }, button("Earlier", move(-0.5, 1)), button("Later", move(0.5, 1)), button("Zoom in", move(0, 0.5)),
      button("Zoom out", move(0, 2)), button("Whole time", show(ends)), busy.length ? button("Exchanges only", show(busy)) : null),
    board, said,
    html("details", { class: "spare" }, html("summary", {}, "The same as tables"), numbers,
      table(`Accounts of the timeline, ring ${detail.id}`, [{ name: "account" }, { name: "exchanges", number: true }, { name: "busiest from (UTC)" }, { name: "then", number: true },
        { name: "signed up" }, { name: "banned" }], lives.map((life) => {
        const top = busiest(life);
        return [life.name, d3.sum(life.cells, (pair) => pair[1]), top ? stamp(top[0]) : "", top ? top[1] : null,
          life.up === null ? "" : stamp(life.up), life.ban === null ? "" : stamp(life.ban)];
      }))));
}
