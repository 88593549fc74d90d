"use strict";
// The charts and maps of a page, drawn as SVG at the width of their place.

const drawings = []; // functions that draw at the width of their place, again after a resize
function card(title, note, draw, more = "") {
  const place = h("div", { class: "plot" });
  drawings.push(() => { const width = place.clientWidth; if (width) { place.replaceChildren(); draw(place, width); } });
  return h("figure", { class: `card ${more}` }, h("figcaption", {}, h("h3", {}, title), h("p", {}, note)), place);
}

function ticks(high, count) {
  const raw = high / count, power = 10 ** Math.floor(Math.log10(raw || 1));
  const step = [1, 2, 5, 10].map((x) => x * power).find((x) => x >= raw) || 1;
  return Array.from({ length: Math.floor(high / step + 1e-9) + 1 }, (_, i) => Number((i * step).toPrecision(12)));
}

function legend(series, shape) {
  return h("ul", { class: "legend" }, ...series.map((one) => h("li", {}, h("i", { class: `${one.shape || shape} c-${one.colour}` }), one.name)));
}

// series: [{name, colour, xs, ys}], with dots: points without a line, with lows: a band up to ys; steps: ys belong to slices that
// begin at xs; stacked: areas on top of each other; spans: [{begin, end, kind, name}] shaded; levels: [{name, value}] across
function chart(place, width, { series, x, y, high, steps, stacked, warmup, end, said, spans = [], levels = [] }) {
  const height = 210, left = 54, bottom = 36, top = 10, right = 14;
  const tops = stacked ? series[0].ys.map((_, i) => series.reduce((sum, one) => sum + one.ys[i], 0)) : [...series.flatMap((one) => one.ys), ...levels.map((one) => one.value)];
  const most = high || Math.max(0, ...tops.filter((v) => v !== null)) * 1.06 || 1;
  const px = (v) => left + (width - left - right) * clamp(v / end, 0, 1), py = (v) => top + (height - top - bottom) * (1 - clamp(v / most, 0, 1));
  const root = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": said });
  for (const v of ticks(most, 4)) root.append(s("line", { class: "grid", x1: left, x2: width - right, y1: py(v), y2: py(v) }), s("text", { class: "tick", x: left - 6, y: py(v) + 4, "text-anchor": "end" }, short(v)));
  for (const v of ticks(end, Math.max(2, Math.floor(width / 80)))) root.append(s("text", { class: "tick", x: px(v), y: height - bottom + 16, "text-anchor": "middle" }, short(v)));
  root.append(s("text", { class: "axis", x: (left + width - right) / 2, y: height - 3, "text-anchor": "middle" }, x),
    s("text", { class: "axis", x: 11, y: (height - bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 11 ${(height - bottom) / 2})` }, y));
  if (warmup) root.append(s("rect", { class: "warmup", x: left, y: top, width: px(warmup) - left, height: height - top - bottom }));
  shade(root, spans, px, top, height - top - bottom);
  for (const { name, value, quiet } of levels) root.append(s("line", { class: quiet ? "level quiet" : "level", x1: left, x2: width - right, y1: py(value), y2: py(value) }), s("text", { class: "tick over", x: width - right - 2, y: py(value) - 4, "text-anchor": "end" }, name));
  let below = series[0].ys.map(() => 0);
  for (const one of series) {
    const upper = one.ys.map((v, i) => v === null ? null : stacked ? v + below[i] : v);
    const corners = (values) => values.flatMap((v, i) => v === null ? [] : steps ? [[px(one.xs[i]), py(v)], [px(i + 1 < one.xs.length ? one.xs[i + 1] : end), py(v)]] : [[px(one.xs[i]), py(v)]]);
    const path = (points) => points.map(([a, b]) => `${a.toFixed(1)},${b.toFixed(1)}`).join("L");
    if (!corners(upper).length) continue;
    if (one.dots) corners(upper).forEach(([cx, cy]) => root.append(s("circle", { class: `mark c-${one.colour}`, cx, cy, r: one.xs.length > 200 ? 1.8 : 3 })));
    else if (one.lows) root.append(s("path", { class: "band", d: `M${path(corners(upper))}L${path(corners(one.lows).reverse())}Z` }));
    else root.append(stacked ? s("path", { class: `area c-${one.colour}`, d: `M${path(corners(upper))}L${path(corners(below).reverse())}Z` })
      : s("path", { class: `line c-${one.colour}`, d: runs(upper).map(([from, to]) => `M${path(corners(upper.map((v, i) => i < from || i >= to ? null : v)))}`).join("") }));
    if (stacked) below = upper;
  }
  const rule = s("line", { class: "rule", y1: top, y2: height - bottom, visibility: "hidden" });
  root.append(rule);
  const kinds = [...new Map(spans.map((span) => [span.kind, { colour: span.kind, name: span.kind }])).values()];
  place.append(root, ...(series.length + kinds.length > 1 ? [legend([...series.map((one) => one.lows ? { ...one, colour: "band", shape: "box" } : one.dots ? { ...one, shape: "dot" } : one), ...kinds.map((kind) => ({ ...kind, shape: "box" }))], stacked ? "box" : "dash")] : []));
  root.addEventListener("pointermove", (event) => {
    const at = clamp((event.offsetX - left) / (width - left - right), 0, 1) * end;
    rule.setAttribute("x1", px(at)); rule.setAttribute("x2", px(at)); rule.setAttribute("visibility", "visible");
    tip(event, [`${x}: ${short(at)}`, ...series.map((one) => {
      const i = Math.max(0, lastBefore(one.xs, 0, one.xs.length, at));
      return `${one.name}: ${one.lows && one.ys[i] !== null ? `${short(one.lows[i])} to ` : ""}${short(one.ys[i])}`;
    }), ...spans.filter((span) => span.begin <= at && at <= span.end).map((span) => span.name)]);
  });
  root.addEventListener("pointerleave", () => { rule.setAttribute("visibility", "hidden"); tip(null); });
}

function runs(values) { // stretches without a gap, as [begin, end) pairs
  const found = [];
  values.forEach((v, i) => { if (v !== null) { if (i && values[i - 1] !== null) found.at(-1)[1] = i + 1; else found.push([i, i + 1]); } });
  return found;
}

function shade(root, spans, px, y, height) {
  for (const span of spans) root.append(s("rect", { class: `span c-${span.kind}`, x: px(span.begin), y, width: Math.max(1.5, px(span.end) - px(span.begin)), height }));
}

function tip(event, lines) {
  const box = $("tip");
  box.hidden = !event;
  if (!event) return;
  box.replaceChildren(...lines.map((line) => h("div", {}, line)));
  box.style.left = `${clamp(event.clientX + 14, 4, innerWidth - box.offsetWidth - 4)}px`;
  box.style.top = `${event.clientY + 14}px`;
}

const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
function colour(part) {
  const at = clamp(part, 0, 1) * (VIRIDIS.length - 1), i = Math.min(VIRIDIS.length - 2, Math.floor(at));
  return `rgb(${VIRIDIS[i].map((v, k) => Math.round(v + (at - i) * (VIRIDIS[i + 1][k] - v))).join(",")})`;
}
function scale(low, high, unit) {
  return h("div", { class: "scale" }, short(low), s("svg", { width: 120, height: 10, "aria-hidden": "true" }, ...Array.from({ length: 40 }, (_, i) => s("rect", { x: i * 3, width: 3.2, height: 10, fill: colour(i / 39) }))), `${short(high)} ${unit}`);
}

const MOST_ROWS = 24, BUSIEST = 10, IDLEST = 4; // of many rows the first and the last by value are shown, the others folded
function ranked(values) { // numbers of the rows to show: all in their order, or the busiest and the idlest of many, busiest first
  if (values.length <= MOST_ROWS) return { shown: values.map((_, i) => i), folded: 0 };
  const order = values.map((_, i) => i).filter((i) => values[i] !== null).sort((a, b) => values[b] - values[a] || a - b);
  return { shown: [...order.slice(0, BUSIEST), ...order.slice(-IDLEST)], folded: order.length - BUSIEST - IDLEST };
}
const mean = (values) => { const known = values.filter((v) => v !== null); return known.length ? known.reduce((a, b) => a + b, 0) / known.length : null; };
function quantile(sorted, q) { // linear between neighbours, as numpy's
  const at = q * (sorted.length - 1), i = Math.floor(at);
  return sorted.length ? sorted[i] + (at - i) * (sorted[Math.min(i + 1, sorted.length - 1)] - sorted[i]) : null;
}
function between(values, time, y, said) { // how many values lie where over time: the middle, eight of ten, and the largest; values: a row for each site
  const at = time.until_s.map((_, i) => values.map((row) => row[i]).filter((v) => v !== null).sort((a, b) => a - b));
  const curve = (q) => at.map((sorted) => quantile(sorted, q)), xs = time.until_s.map((_, i) => i ? time.until_s[i - 1] : 0);
  const series = [{ name: "eight of ten sites", xs, ys: curve(0.9), lows: curve(0.1) }, { name: "largest", colour: "late", xs, ys: curve(1) }, { name: "median", colour: "edge", xs, ys: curve(0.5) }];
  return (place, width) => chart(place, width, { series, x: "time (s)", y, steps: true, end: time.until_s.at(-1) || 1, said });
}

function heat(place, width, run) { // tasks at each host over time, a row for each host
  const { until_s, site, number } = run.series.hosts, stands = number.filter((_, i) => run.sites[site[i]].x_m !== null), most = Math.max(1e-9, ...(stands.length ? stands : number).flat());
  const { shown, folded } = ranked(number.map(mean)), names = shown.map((r) => run.sites[site[r]].name), rows = shown.map((r) => number[r]);
  rowsOver(place, width, { until_s, names, values: rows, most, gap: folded ? BUSIEST : 0, folded, said: `Mean number of tasks at ${folded ? "the busiest and the idlest hosts" : "each host"} over time, up to ${short(most)}`, told: (r, i) => `until ${short(until_s[i])} s: ${short(rows[r][i])} tasks` });
  place.append(scale(0, most, "tasks, waiting and executing"));
  if (!folded) return;
  const all = h("div", { class: "plot" });
  place.append(all);
  between(stands, { until_s }, "tasks at a site", `Tasks at all ${stands.length} sites over time: median, eight of ten, largest`)(all, width);
}

function rowsOver(place, width, { until_s, names, values: number, most, said, told, notes = [], gap = 0, folded = 0 }) { // a row for each name, coloured by its value until each time
  const left = 62, right = 14 + 7 * Math.max(0, ...notes.map((note) => note.length)), row = clamp(210 / Math.max(1, names.length), 12, 24), end = until_s.at(-1) || 1;
  const below = folded ? 16 : 0, height = row * names.length + below + 36, px = (v) => left + (width - left - right) * v / end, top = (r) => r * row + (folded && r >= gap ? below : 0);
  const root = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": said });
  number.forEach((values, r) => {
    root.append(s("text", { class: "tick", x: left - 6, y: top(r) + row / 2 + 4, "text-anchor": "end" }, names[r]), s("text", { class: "tick", x: width - right + 6, y: top(r) + row / 2 + 4 }, notes[r] || ""));
    values.forEach((v, i) => root.append(s("rect", { x: px(i ? until_s[i - 1] : 0), y: top(r), width: px(until_s[i]) - px(i ? until_s[i - 1] : 0) + 0.4, height: row - 1.5, fill: colour(v / most) })));
  });
  if (folded) root.append(s("text", { class: "tick", x: left, y: gap * row + 11 }, `${folded.toLocaleString("en")} between`));
  for (const v of ticks(end, Math.max(2, Math.floor(width / 80)))) root.append(s("text", { class: "tick", x: px(v), y: height - 20, "text-anchor": "middle" }, short(v)));
  root.append(s("text", { class: "axis", x: (left + width) / 2, y: height - 3, "text-anchor": "middle" }, "time (s)"));
  root.addEventListener("pointermove", (event) => {
    const y = event.offsetY, r = Math.floor((folded && y >= gap * row + below ? y - below : y) / row), at = (event.offsetX - left) / (width - left - right) * end;
    const i = until_s.findIndex((v) => v >= at), between_rows = folded && y >= gap * row && y < gap * row + below;
    if (names[r] && !between_rows && i >= 0 && at >= 0) tip(event, [names[r], told(r, i)]); else tip(null);
  });
  root.addEventListener("pointerleave", () => tip(null));
  place.append(root);
}

const sharesOf = (run, kind) => Object.entries(run.kpis).filter(([name]) => name.startsWith(kind)).map(([name, one]) => ({ name: name.slice(kind.length), value: one.value, half: one.half_width }));
const percent = (v) => v === null ? "-" : `${(100 * v).toFixed(1)} %`;
function bars(place, width, all, said) { // all: [{name, value, half}], shares with their intervals
  const { shown, folded } = ranked(all.map((one) => one.value)), rows = shown.map((i) => all[i]);
  const row = clamp(210 / Math.max(1, rows.length), 15, 26), left = 62, right = 62, below = folded ? 44 : 0, height = row * rows.length + below + 6, px = (v) => left + (width - left - right) * clamp(v, 0, 1);
  const root = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${said}: ${rows.map((one) => `${one.name} ${percent(one.value)}`).join(", ")}` });
  rows.forEach(({ name, value, half }, i) => {
    const y = i * row + (folded && i >= BUSIEST ? below : 0), middle = y + row / 2;
    root.append(s("text", { class: "tick", x: left - 6, y: middle + 4, "text-anchor": "end" }, name), s("rect", { class: "track", x: left, y: y + 3, width: px(1) - left, height: row - 6, rx: 2 }));
    if (value === null) return;
    root.append(s("rect", { class: "area c-edge", x: left, y: y + 3, width: px(value) - left, height: row - 6, rx: 2 }),
      s("text", { class: "tick", x: px(1) + 6, y: middle + 4 }, percent(value)));
    if (half) root.append(s("line", { class: "rule", x1: px(value - half), x2: px(value + half), y1: middle, y2: middle }));
  });
  if (folded) root.append(...spread(all.map((one) => one.value), BUSIEST * row, below, px, folded));
  place.append(root);
}

function spread(values, y, height, px, folded) { // how many of all values lie in each twentieth from 0 to 1, as columns on the scale of the bars
  const known = values.filter((v) => v !== null), counts = Array(20).fill(0), sorted = [...known].sort((a, b) => a - b);
  for (const v of known) counts[Math.min(19, Math.floor(clamp(v, 0, 1) * 20))] += 1;
  const most = Math.max(...counts), foot = y + height - 6, tall = height - 24;
  return [s("text", { class: "tick", x: px(0), y: y + 12 }, `${folded.toLocaleString("en")} between; all ${known.length.toLocaleString("en")}: median ${percent(quantile(sorted, 0.5))}`),
    s("line", { class: "grid", x1: px(0), x2: px(1), y1: foot, y2: foot }),
    ...counts.map((count, i) => s("rect", { class: "area c-edge spread", x: px(i / 20) + 1, width: (px(1) - px(0)) / 20 - 2, y: foot - tall * count / most, height: tall * count / most }, s("title", {}, `${count} between ${5 * i} and ${5 * i + 5} %`)))];
}

function siteMap(place, width, run, values, told) { // sites on the map, coloured by a share; values: by site name
  const height = clamp(width / aspectOf(run.frame), 180, 420), on = projection(run.frame, width, height, 10), known = run.sites.filter((site) => site.x_m !== null && values.get(site.name) !== undefined);
  const root = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${told} of ${known.length} sites on the map` });
  const r = clamp(Math.sqrt(width * height / Math.max(1, known.length)) * 0.3, 3, 12);
  for (const site of known) {
    const value = values.get(site.name), disc = s("circle", { class: "place", cx: on.x(site.x_m), cy: on.y(site.y_m), r, fill: value === null ? "none" : colour(value) });
    disc.addEventListener("pointermove", (event) => tip(event, [site.name, percent(value)]));
    disc.addEventListener("pointerleave", () => tip(null));
    root.append(disc);
  }
  place.append(root, scale(0, 100, "%"));
}

const aspectOf = ({ low_m, high_m, stretched }) => stretched ? 2.2 : (high_m[0] - low_m[0]) / (high_m[1] - low_m[1]);
function projection(frame, width, height, margin) {
  const span = [frame.high_m[0] - frame.low_m[0], frame.high_m[1] - frame.low_m[1]];
  let fit = [(width - 2 * margin) / span[0], (height - 2 * margin) / span[1]];
  if (!frame.stretched) fit = [Math.min(...fit), Math.min(...fit)];
  const middle = [(frame.low_m[0] + frame.high_m[0]) / 2, (frame.low_m[1] + frame.high_m[1]) / 2];
  return { fit, middle, x: (v) => width / 2 + fit[0] * (v - middle[0]), y: (v) => height / 2 - fit[1] * (v - middle[1]) };
}

async function roadLines(run) { // lines of [x, y] in m
  const { length, dx, dy } = await columnsOf(run.roads), first = begins(length);
  const [x, y] = [dx, dy].map((values) => sums(values, [0, values.length]));
  return Array.from(length, (_, i) => Array.from({ length: length[i] }, (_, k) => [DATA.unit_m * x[first[i] + k], DATA.unit_m * y[first[i] + k]]));
}

function latencyMap(place, width, run, roads) {
  const { cell_m, xy_m, latency_s, tasks } = run.series.latency_map, frame = run.frame;
  const height = clamp(width / aspectOf(frame), 180, 600), on = projection(frame, width, height, 6);
  const sorted = [...latency_s].sort((a, b) => a - b), low = sorted[Math.floor(sorted.length * 0.05)] || 0, high = sorted[Math.floor(sorted.length * 0.95)] || 1e-3;
  const root = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Mean latency by place, mostly between ${short(low * 1e3)} and ${short(high * 1e3)} ms` });
  const line = roads.map((road) => `M${road.map(([a, b]) => `${on.x(a).toFixed(1)},${on.y(b).toFixed(1)}`).join("L")}`).join("");
  root.append(s("path", { class: "road wide", d: line }));
  xy_m.forEach(([a, b], i) => {
    const fill = colour((latency_s[i] - low) / (high - low || 1)), mark = { fill, class: "place" };
    let shape;
    if (cell_m) { // hexagons of the lattice: corners at a third and two thirds of its height
      const w = cell_m[0] / 2, t = cell_m[1] / 6;
      shape = s("polygon", { ...mark, points: [[0, 2 * t], [w, t], [w, -t], [0, -2 * t], [-w, -t], [-w, t]].map(([u, v]) => `${on.x(a + u).toFixed(1)},${on.y(b + v).toFixed(1)}`).join(" ") });
    } else shape = s("circle", { ...mark, cx: on.x(a), cy: on.y(b), r: 6 + 14 * Math.sqrt(tasks[i] / Math.max(...tasks)) });
    shape.addEventListener("pointermove", (event) => tip(event, [`${short(latency_s[i] * 1e3)} ms`, `${tasks[i]} tasks`]));
    shape.addEventListener("pointerleave", () => tip(null));
    root.append(shape);
  });
  root.append(s("path", { class: "road thin", d: line }));
  for (const site of run.sites) if (site.x_m !== null) root.append(s("path", { class: "site", d: `M${on.x(site.x_m)},${on.y(site.y_m) - 6}l5,9h-10Z` }));
  place.append(root, scale(low * 1e3, high * 1e3, "ms"));
}

function utilisation(place, width, run) {
  const shares = sharesOf(run, "utilisation/");
  bars(place, width, shares, "Utilisation");
  if (shares.length > MOST_ROWS) siteMap(place, width, run, new Map(shares.map((one) => [one.name, one.value])), "Utilisation");
}

function figuresOf(run, roads) {
  const { outcomes, energy_w, traffic, latency_s, levels } = run.series, head = run.header, end = head.complete_to_s || 1;
  const over = (names) => names.filter(([, , ys]) => ys.some((v) => v > 0)).map(([name, colour, ys]) => ({ name, colour, ys, xs: outcomes.begin_s }));
  const time = { x: "time (s)", end, steps: true, warmup: head.warmup_s };
  const p99 = Math.max(1e-3, ...Object.values(latency_s).map((one) => one.curve[Math.round(0.99 * (levels.length - 1))])) * 1e3;
  const curves = Object.entries(latency_s).map(([tier, one]) => ({ name: `${tier} (${one.tasks.toLocaleString("en")})`, colour: tier, xs: one.curve.map((v) => v * 1e3), ys: levels.map((v) => v * 100) }));
  const outcome = over([["completed", "completed", outcomes.per_s.completed], ["late", "late", outcomes.per_s.late], ["lost", "lost", outcomes.per_s.lost], ["in flight", "flight", outcomes.per_s["in flight"]]]);
  const power = over([["vehicle processors", "local", energy_w.vehicle], ["vehicle radios", "neighbour", energy_w.radio], ["edge and cloud hosts", "edge", energy_w.host]]);
  const one = (name, ys) => [{ name, colour: "edge", xs: outcomes.begin_s, ys }];
  const none = (place) => place.append(h("p", { class: "none" }, "Nothing to show in this run."));
  const draw = (series, options) => series.length ? (place, width) => chart(place, width, { series, ...options }) : none;
  const [map, ...rest] = [
    card("Map of latency", run.series.latency_map.cell_m ? "Mean latency of finished tasks by place of release; triangles are sites." : "Mean latency of finished tasks by serving site; larger discs had more tasks.", (place, width) => latencyMap(place, width, run, roads)),
    card("Latency", "Share of finished tasks that took at most so long, by where they were executed.", draw(curves, { x: "latency (ms)", y: "tasks (%)", end: p99, high: 100, said: "Distribution of latency" })),
    card("Throughput and outcomes", "Tasks by time of release; the shaded warm-up is left out of the key figures.", draw(outcome, { ...time, y: "tasks/s", stacked: true, said: "Tasks per second over time by outcome" })),
    card("Queues", "Mean number of tasks at each host between samples.", run.series.hosts.site.length ? (place, width) => heat(place, width, run) : none),
    card("Utilisation", "Busy share of each host's cores after the warm-up, with its interval.", (place, width) => utilisation(place, width, run)),
    card("Energy", "Mean power spent on the tasks released at that time.", draw(power, { ...time, y: "W", stacked: true, said: "Power over time" })),
    card("Handovers", "Changes from one serving site to another.", draw(one("handovers/s", traffic.handovers_per_s), { ...time, y: "per s", said: "Handovers per second over time" })),
    card("Coverage", "Share of vehicles on the map that have a serving site.", draw(one("covered (%)", traffic.covered.map((v) => v === null ? null : 100 * v)), { ...time, high: 100, y: "vehicles (%)", said: "Coverage over time" })),
    card("Vehicles", "Mean number of vehicles on the map.", draw(one("vehicles", traffic.vehicles), { ...time, y: "vehicles", said: "Vehicles on the map over time" })),
  ];
  return [map, ...several ? [] : [keyFigures()], ...rest];
}
