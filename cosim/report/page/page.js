"use strict";
// One page about one run or several. Every number comes from the data in the page; nothing is fetched.

const DATA = JSON.parse(document.getElementById("data").textContent);
const wordOf = (table, code) => DATA.codes[table][code]?.[1] ?? String(code);
const codeOf = (table, name) => Number(Object.keys(DATA.codes[table]).find((code) => DATA.codes[table][code][0] === name));
const [COMPLETED, LATE, IN_FLIGHT, NO_KEY] = ["COMPLETED", "LATE", "IN_FLIGHT", "NO_KEY"].map((name) => codeOf("status", name));
const [UPLINK, DOWNLINK, DONE, WAITING] = ["UPLINK", "DOWNLINK", "DONE", "KEY"].map((name) => codeOf("phase", name));
const [LOCAL, NEIGHBOUR] = ["LOCAL", "NEIGHBOUR"].map((name) => codeOf("tier", name));
const STAGES = ["decided_ms", "uplink_ms", "uplinked_ms", "queued_ms", "started_ms", "executed_ms", "downlink_ms", "time_ms"];
const STAGE_PHASE = ["decision", "decision", "uplink", "backhaul", "queue", "execution", "return", "downlink"];
const MOST_WAYS = 200000; // corners of vehicles' ways that stand in for roads
const SPEEDS = [0.25, 0.5, 1, 2, 5, 10, 20, 60];
const $ = (id) => document.getElementById(id);
const several = DATA.runs.length > 1;
const label = (head) => `${several && new Set(DATA.runs.map((r) => r.header.scenario)).size > 1 ? head.scenario + ", " : ""}${head.policy}, seed ${head.seed}`;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
// Four significant digits as in cosim/quantity.py, without zeros at the end; whole numbers keep all of theirs.
const short = (value) => value === null || !isFinite(value) ? "-" : Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(4)));

// What sections of behaviour show, in the order of the page. The code of each stands in a script and scope of its own and adds
// { name, title, cards(run), open(run) } here: `name` is that of the scenario's section, its data run.series[name]; cards() gives
// figures for a part of the page under the title; open(), if there is one, promises what the playback asks, all of it optional:
// legend(key), under(paint, playback, ms), mark(paint, at, ink, vehicle, ms, spot), siteStory(site, time_s), vehicleStory(vehicle, ms), note().
const SUBJECTS = [];
const subjectsOf = (run) => SUBJECTS.filter((one) => run.series[one.name]);
const HOOKS = ["legend", "under", "mark", "siteStory", "vehicleStory", "note"];
const faults = new Map(); // section -> why its part of the page is left out: an error of its code ends nothing else
function guarded(name, act, otherwise) {
  try { return act(); } catch (error) { fault(name, error); return otherwise; }
}
function fault(name, error) {
  if (faults.has(name)) return;
  faults.set(name, error?.message ?? String(error));
  console.error(error);
  $("faults")?.replaceChildren(...faultNotes());
  requestAnimationFrame(redraw); // without it, and with a canvas as it should be
}
const faultNotes = () => [...faults].map(([name, why]) => h("p", { class: "note", role: "alert" }, `The part of section ${name} is left out: ${why}.`));
async function playerOf(one, run) {
  try {
    const player = await one.open?.(run);
    if (!player) return null;
    const hooks = HOOKS.filter((hook) => player[hook]);
    return Object.fromEntries(hooks.map((hook) => [hook, (...given) => faults.has(one.name) ? undefined : guarded(one.name, () => {
      const told = player[hook](...given);
      return ["legend", "siteStory", "vehicleStory"].includes(hook) && told ? [...told] : told;
    })]));
  } catch (error) { fault(one.name, error); return null; }
}
function seePanels(run) { // a script that cannot be read, or that fails, has added nothing
  faults.clear();
  for (const name of DATA.panels) if (run.series[name] && !SUBJECTS.some((one) => one.name === name)) fault(name, new Error("its JavaScript failed, see the browser's console"));
}

// ---------------------------------------------------------------- elements

function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// ---------------------------------------------------------------- packed columns

const opened = new Map(); // blob number -> promise of its bytes
function bytesOf(blob) {
  if (!opened.has(blob)) {
    const text = atob($(`blob-${blob}`).textContent);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    opened.set(blob, new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
  }
  return opened.get(blob);
}

async function columnsOf(stored) {
  const bytes = await bytesOf(stored.blob);
  const types = { i1: Int8Array, i2: Int16Array, i4: Int32Array };
  return Object.fromEntries(Object.entries(stored.columns).map(([name, [code, offset, length]]) => [name, new types[code](bytes, offset, length)]));
}

const words = (bytes) => bytes.length ? new TextDecoder().decode(bytes).split("\n") : [];
const begins = (lengths) => { // where each group starts, and where the last one ends
  const found = new Int32Array(lengths.length + 1);
  lengths.forEach((length, i) => { found[i + 1] = found[i] + length; });
  return found;
};
function sums(values, starts) { // undoes differences within the groups that begin at starts
  const found = new Float64Array(values.length);
  for (let group = 0; group + 1 < starts.length; group++) {
    let total = 0;
    for (let i = starts[group]; i < starts[group + 1]; i++) found[i] = total += values[i];
  }
  return found;
}
function lastBefore(values, low, high, wanted) { // last index in [low, high) with a value <= wanted, or low - 1
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= wanted) low = middle + 1; else high = middle;
  }
  return low - 1;
}

class Places {
  constructor(columns, tick_s) {
    this.tick_s = tick_s;
    this.tick = columns.tick;
    this.vehicle = sums(columns.vehicle, [0, columns.vehicle.length]);
    this.first = begins(columns.length);
    [this.x, this.y] = [["x", "dx"], ["y", "dy"]].map(([start, second]) => {
      const found = new Float64Array(columns[second].length);
      for (let part = 0; part < this.tick.length; part++) {
        let step = 0, at = columns[start][part];
        for (let i = this.first[part]; i < this.first[part + 1]; i++) found[i] = at += step += columns[second][i];
      }
      return found;
    });
  }
  within(part, tick, into) { // place of the vehicle of a stretch, interpolated between ticks; false outside the stretch
    const along = tick - this.tick[part], last = this.first[part + 1] - this.first[part] - 1;
    if (along < 0 || along > last) return false;
    const i = this.first[part] + Math.floor(along), part_of = along - Math.floor(along);
    const next = Math.min(i + 1, this.first[part + 1] - 1);
    into[0] = DATA.unit_m * (this.x[i] + part_of * (this.x[next] - this.x[i]));
    into[1] = DATA.unit_m * (this.y[i] + part_of * (this.y[next] - this.y[i]));
    return true;
  }
  at(vehicle, time_s) {
    const into = [0, 0], tick = time_s / this.tick_s;
    let part = lastBefore(this.vehicle, 0, this.vehicle.length, vehicle);
    for (; part >= 0 && this.vehicle[part] === vehicle; part--) if (this.within(part, tick, into)) return into;
    return null;
  }
}

class Stories {
  constructor(columns, sites) {
    Object.assign(this, columns);
    this.ids = words(columns.ids);
    this.types = words(columns.types);
    this.firstTask = begins(columns.tasks);
    this.firstCell = begins(columns.cells);
    this.released = sums(columns.released_ms, this.firstTask);
    this.task = sums(columns.task, this.firstTask);
    this.cellTime = sums(columns.cell_ms, this.firstCell);
    const samples = columns.sample_ms.length, hosts = begins(Array(columns.host.length).fill(samples));
    [this.busy, this.servedBy, this.rejectedBy] = ["busy_ms", "served", "rejected"].map((name) => sums(columns[name], hosts));
    this.hostOf = new Map(Array.from(columns.host, (site, i) => [site, i]));
    this.mostQueued = Math.max(1, ...columns.host.length ? Array.from(columns.host, (site, i) =>
      sites[site].x_m === null ? 0 : columns.queued.subarray(i * samples, (i + 1) * samples).reduce((a, b) => Math.max(a, b), 0)) : [1]);
    this.links();
  }
  links() { // transfers by start: [begin, end, vehicle, site or -1, other vehicle or -1, direction]
    const found = [];
    for (let vehicle = 0; vehicle < this.tasks.length; vehicle++) {
      for (let i = this.firstTask[vehicle]; i < this.firstTask[vehicle + 1]; i++) {
        if (this.tier[i] <= LOCAL) continue;
        const other = this.tier[i] === NEIGHBOUR ? this.target[i] : -1;
        const start = this.released[i] + this.decided_ms[i] + this.uplink_ms[i];
        const up = this.uplinked_ms[i] + (this.phase[i] === UPLINK ? this.time_ms[i] : 0);
        if (up > 0) found.push([start, start + up, vehicle, this.uplink_site[i], other, 0]);
        const down = this.phase[i] === DONE || this.phase[i] === DOWNLINK ? this.time_ms[i] : 0;
        const end = this.released[i] + this.lasted(i);
        if (down > 0) found.push([end - down, end, vehicle, this.downlink_site[i], other, 1]);
      }
    }
    found.sort((a, b) => a[0] - b[0]);
    this.transfers = found;
    this.transferBegin = Float64Array.from(found, (one) => one[0]);
    this.longest = found.reduce((most, one) => Math.max(most, one[1] - one[0]), 0);
  }
  lasted(i) { return STAGES.reduce((total, name) => total + this[name][i], 0); }
  *using(ms) {
    for (let i = lastBefore(this.transferBegin, 0, this.transferBegin.length, ms); i >= 0 && this.transferBegin[i] >= ms - this.longest; i--)
      if (this.transfers[i][1] > ms) yield this.transfers[i];
  }
  serving(vehicle, ms) {
    const i = lastBefore(this.cellTime, this.firstCell[vehicle], this.firstCell[vehicle + 1], ms);
    return i < this.firstCell[vehicle] ? -1 : this.cell_site[i];
  }
  hostAt(site, ms) { // state of a host at the last sample, null without a host
    const number = this.hostOf.get(site), samples = this.sample_ms.length;
    if (number === undefined) return null;
    const k = lastBefore(this.sample_ms, 0, samples, ms + 0.5), i = number * samples + k;
    if (k < 0) return { queued: 0, running: 0, busy: 0, served: 0, rejected: 0, index: -1 };
    const since = this.sample_ms[k] - (k ? this.sample_ms[k - 1] : 0);
    return { queued: this.queued[i], running: this.running[i], busy: since ? (this.busy[i] - (k ? this.busy[i - 1] : 0)) / since : 0,
      served: this.servedBy[i], rejected: this.rejectedBy[i], index: k };
  }
}

// ---------------------------------------------------------------- figures

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

function heat(place, width, run) { // tasks at each host over time, a row for each host
  const { until_s, site, number } = run.series.hosts, names = site.map((one) => run.sites[one].name);
  const shown = number.filter((_, i) => run.sites[site[i]].x_m !== null), most = Math.max(1e-9, ...(shown.length ? shown : number).flat());
  rowsOver(place, width, { until_s, names, values: number, most, said: `Mean number of tasks at each host over time, up to ${short(most)}`, told: (r, i) => `until ${short(until_s[i])} s: ${short(number[r][i])} tasks` });
  place.append(scale(0, most, "tasks, waiting and executing"));
}

function rowsOver(place, width, { until_s, names, values: number, most, said, told, notes = [] }) { // a row for each name, coloured by its value until each time
  const left = 62, right = 14 + 7 * Math.max(0, ...notes.map((note) => note.length)), row = clamp(210 / Math.max(1, names.length), 12, 24), end = until_s.at(-1) || 1;
  const height = row * names.length + 36, px = (v) => left + (width - left - right) * v / end;
  const root = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": said });
  number.forEach((values, r) => {
    root.append(s("text", { class: "tick", x: left - 6, y: r * row + row / 2 + 4, "text-anchor": "end" }, names[r]), s("text", { class: "tick", x: width - right + 6, y: r * row + row / 2 + 4 }, notes[r] || ""));
    values.forEach((v, i) => root.append(s("rect", { x: px(i ? until_s[i - 1] : 0), y: r * row, width: px(until_s[i]) - px(i ? until_s[i - 1] : 0) + 0.4, height: row - 1.5, fill: colour(v / most) })));
  });
  for (const v of ticks(end, Math.max(2, Math.floor(width / 80)))) root.append(s("text", { class: "tick", x: px(v), y: height - 20, "text-anchor": "middle" }, short(v)));
  root.append(s("text", { class: "axis", x: (left + width) / 2, y: height - 3, "text-anchor": "middle" }, "time (s)"));
  root.addEventListener("pointermove", (event) => {
    const r = Math.floor(event.offsetY / row), at = (event.offsetX - left) / (width - left - right) * end;
    const i = until_s.findIndex((v) => v >= at);
    if (names[r] && i >= 0 && at >= 0) tip(event, [names[r], told(r, i)]); else tip(null);
  });
  root.addEventListener("pointerleave", () => tip(null));
  place.append(root);
}

const sharesOf = (run, kind) => Object.entries(run.kpis).filter(([name]) => name.startsWith(kind)).map(([name, one]) => ({ name: name.slice(kind.length), value: one.value, half: one.half_width }));
function bars(place, width, rows, said) { // rows: [{name, value, half}], shares with their intervals
  const row = clamp(210 / Math.max(1, rows.length), 15, 26), left = 62, right = 62, height = row * rows.length + 6, px = (v) => left + (width - left - right) * clamp(v, 0, 1);
  const percent = (v) => v === null ? "-" : `${(100 * v).toFixed(1)} %`;
  const root = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${said}: ${rows.map((one) => `${one.name} ${percent(one.value)}`).join(", ")}` });
  rows.forEach(({ name, value, half }, i) => {
    const y = i * row, middle = y + row / 2;
    root.append(s("text", { class: "tick", x: left - 6, y: middle + 4, "text-anchor": "end" }, name), s("rect", { class: "track", x: left, y: y + 3, width: px(1) - left, height: row - 6, rx: 2 }));
    if (value === null) return;
    root.append(s("rect", { class: "area c-edge", x: left, y: y + 3, width: px(value) - left, height: row - 6, rx: 2 }),
      s("text", { class: "tick", x: px(1) + 6, y: middle + 4 }, percent(value)));
    if (half) root.append(s("line", { class: "rule", x1: px(value - half), x2: px(value + half), y1: middle, y2: middle }));
  });
  place.append(root);
}

const BESIDE_PX = 44; // of the stage, for the zoom buttons: no site lies under them before one zooms

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
  const aspect = frame.stretched ? 2.2 : (frame.high_m[0] - frame.low_m[0]) / (frame.high_m[1] - frame.low_m[1]);
  const height = clamp(width / aspect, 180, 600), on = projection(frame, width, height, 6);
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
    card("Utilisation", "Busy share of each host's cores after the warm-up, with its interval.", (place, width) => bars(place, width, sharesOf(run, "utilisation/"), "Utilisation")),
    card("Energy", "Mean power spent on the tasks released at that time.", draw(power, { ...time, y: "W", stacked: true, said: "Power over time" })),
    card("Handovers", "Changes from one serving site to another.", draw(one("handovers/s", traffic.handovers_per_s), { ...time, y: "per s", said: "Handovers per second over time" })),
    card("Coverage", "Share of vehicles on the map that have a serving site.", draw(one("covered (%)", traffic.covered.map((v) => v === null ? null : 100 * v)), { ...time, high: 100, y: "vehicles (%)", said: "Coverage over time" })),
    card("Vehicles", "Mean number of vehicles on the map.", draw(one("vehicles", traffic.vehicles), { ...time, y: "vehicles", said: "Vehicles on the map over time" })),
  ];
  return [map, ...several ? [] : [keyFigures()], ...rest];
}

// ---------------------------------------------------------------- playback

class Playback {
  constructor(run, roads, places, stories, players) {
    Object.assign(this, { run, roads, places, stories, players, time_s: Math.min(run.header.warmup_s, run.header.complete_to_s), playing: false, speed: 5, selected: null, zoom: 1, shift: [0, 0], shown: 0, linked: 0 });
    this.end = run.header.complete_to_s;
    this.build();
  }
  build() {
    const button = (text, name, action, more = {}) => h("button", { type: "button", "aria-label": name, title: name, onclick: action, ...more }, text);
    this.canvas = h("canvas", { tabindex: 0, role: "img", "aria-label": "Map with sites and moving vehicles" });
    this.slider = h("input", { type: "range", min: 0, max: this.end, step: this.run.header.step_s / 10, "aria-label": "Simulated time", oninput: () => this.seek(Number(this.slider.value)) });
    this.clock = h("output", {});
    this.play = button("▶", "Play or pause (space)", () => this.toggle(), { class: "play" });
    this.pace = h("select", { "aria-label": "Speed", onchange: () => { this.speed = Number(this.pace.value); } }, ...SPEEDS.map((v) => h("option", { value: v, selected: v === this.speed }, `${v}×`)));
    this.chooser = h("select", { "aria-label": "Story of a site", onchange: () => this.select("site", Number(this.chooser.value)) }, h("option", { value: "" }, "Site…"), ...this.run.sites.map((site, i) => h("option", { value: i }, site.name)));
    this.number = h("input", { type: "number", min: 0, max: this.stories.tasks.length - 1, placeholder: "Vehicle…", "aria-label": "Story of a vehicle, by number", onchange: () => { if (this.number.value !== "") this.select("vehicle", Number(this.number.value)); } });
    this.story = h("aside", { class: "story", "aria-label": "Story", tabindex: 0 });
    this.said = h("p", { class: "hidden", "aria-live": "polite" });
    const key = (shape, text) => h("li", {}, h("i", { class: shape }), text);
    this.element = h("section", { class: "card playback", "aria-label": "Playback of the city" },
      h("div", { class: "stage" }, this.canvas, h("div", { class: "zoom" }, button("+", "Zoom in (+)", () => this.rescale(1.5)), button("−", "Zoom out (-)", () => this.rescale(1 / 1.5)), button("⌂", "Whole map (0)", () => this.rescale(0)))),
      h("div", { class: "controls" }, this.play, this.slider, this.clock, this.pace),
      h("ul", { class: "legend" }, key("dot c-vehicle", "vehicle"), key("ring c-lost", "without coverage"), key("dash c-edge", "uplink"), key("dash c-cloud", "downlink"), key("ring c-edge", "site, ring: CPU use"), key("box c-late", "bar: tasks waiting"), ...this.players.flatMap((one) => one.legend?.(key) || [])),
      h("div", { class: "side" }, h("div", { class: "choose" }, this.chooser, this.number), this.story), this.said);
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("click", (event) => { if (!this.dragged) this.pick(event.offsetX, event.offsetY); });
    this.canvas.addEventListener("pointerdown", (event) => { this.drag = [event.clientX, event.clientY]; this.dragged = false; });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!this.drag || !event.buttons || this.zoom === 1) return;
      const by = [event.clientX - this.drag[0], event.clientY - this.drag[1]];
      if (!this.dragged && Math.hypot(...by) < 5) return;
      this.dragged = true; this.shift = [this.shift[0] + by[0], this.shift[1] + by[1]]; this.drag = [event.clientX, event.clientY];
      this.fit();
    });
    addEventListener("pointerup", () => { this.drag = null; });
    this.tell();
  }
  key(event) {
    const typing = ["INPUT", "SELECT"].includes(event.target.tagName), step = event.shiftKey ? 10 : this.run.header.step_s;
    const actions = { " ": () => this.toggle(), ArrowRight: () => this.seek(this.time_s + step), ArrowLeft: () => this.seek(this.time_s - step), ArrowUp: () => this.faster(1), ArrowDown: () => this.faster(-1),
      Home: () => this.seek(0), End: () => this.seek(this.end), "+": () => this.rescale(1.5), "-": () => this.rescale(1 / 1.5), 0: () => this.rescale(0), n: () => this.next(1), p: () => this.next(-1), Escape: () => this.select(null) };
    const onSlider = event.target === this.slider && event.key === " ";
    if ((typing && !onSlider) || (event.target.tagName === "BUTTON" && event.key === " ") || event.ctrlKey || event.metaKey || event.altKey || !actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }
  faster(by) {
    this.speed = SPEEDS[clamp(SPEEDS.indexOf(this.speed) + by, 0, SPEEDS.length - 1)];
    this.pace.value = this.speed;
  }
  next(by) { // the next vehicle on the map by number, from the keyboard
    const from = this.selected?.kind === "vehicle" ? this.selected.number : by > 0 ? -1 : this.stories.tasks.length;
    for (let v = from + by; v >= 0 && v < this.stories.tasks.length; v += by) if (!this.places || this.places.at(v, this.time_s)) return this.select("vehicle", v);
  }
  toggle() {
    this.playing = !this.playing;
    if (this.playing && this.time_s >= this.end) this.time_s = 0;
    this.play.textContent = this.playing ? "❚❚" : "▶";
    this.said.textContent = this.playing ? "playing" : `paused at ${this.time_s.toFixed(1)} s`;
    this.before = null;
    if (this.playing) requestAnimationFrame((now) => this.frame(now));
  }
  frame(now) {
    if (!this.playing || !this.element.isConnected) return;
    if (this.before !== null) this.seek(this.time_s + this.speed * Math.min(0.2, (now - this.before) / 1000));
    this.before = now;
    if (this.time_s >= this.end) this.toggle(); else requestAnimationFrame((later) => this.frame(later));
  }
  seek(time_s) {
    this.time_s = clamp(time_s, 0, this.end);
    this.slider.value = this.time_s;
    this.slider.setAttribute("aria-valuetext", `${this.time_s.toFixed(1)} seconds`);
    this.clock.textContent = `${this.time_s.toFixed(1)} s`;
    this.draw();
    if (this.selected && (!this.playing || performance.now() - (this.toldAt || 0) > 200)) this.tell();
  }
  rescale(by) {
    const zoom = by ? clamp(this.zoom * by, 1, 40) : 1, ratio = zoom / this.zoom;
    this.shift = zoom === 1 ? [0, 0] : this.shift.map((v) => v * ratio);
    const chosen = this.selected && (this.selected.kind === "vehicle" ? this.now.get(this.selected.number) : this.spot(this.selected.number));
    if (chosen && by > 1) { // what is chosen comes to the middle
      const centre = this.centre(), old = this.shift.map((v) => v / ratio);
      this.shift = centre.map((v, i) => -(chosen[i] - v - old[i]) * ratio);
    }
    this.zoom = zoom;
    this.canvas.style.touchAction = zoom === 1 ? "auto" : "none";
    this.fit();
  }
  centre() { return [(this.canvas.clientWidth - BESIDE_PX) / 2, this.canvas.clientHeight / 2]; } // of the part beside the buttons
  fit() { // after a resize, a change of colours or of zoom: the roads are drawn once, onto a layer of their own
    const width = this.canvas.clientWidth, height = this.canvas.clientHeight, dense = devicePixelRatio || 1;
    if (!width) return;
    const style = getComputedStyle(document.documentElement);
    this.ink = Object.fromEntries(["ink", "muted", "road", "panel", "vehicle", "lost", "edge", "cloud", "late", "back", "execution"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    const base = projection(this.run.frame, width - BESIDE_PX, height, 24), [sx, sy] = base.fit.map((v) => v * this.zoom), [cx, cy] = this.centre();
    this.on = { x: (v) => cx + this.shift[0] + sx * (v - base.middle[0]), y: (v) => cy + this.shift[1] - sy * (v - base.middle[1]) };
    this.layer = document.createElement("canvas");
    for (const one of [this.canvas, this.layer]) { one.width = width * dense; one.height = height * dense; one.getContext("2d").scale(dense, dense); }
    const paint = this.layer.getContext("2d");
    Object.assign(paint, { strokeStyle: this.ink.road, lineWidth: clamp(1.4 * Math.sqrt(this.zoom), 1.4, 6), lineCap: "round", lineJoin: "round" });
    paint.beginPath();
    for (const road of this.roads) road.forEach(([x, y], i) => i ? paint.lineTo(this.on.x(x), this.on.y(y)) : paint.moveTo(this.on.x(x), this.on.y(y)));
    paint.stroke();
    if (!this.roads.length && this.places) this.ways(paint);
    this.draw();
  }
  ways(paint) { // where vehicles drove, in place of roads
    const { places, on } = this, every = Math.ceil(places.x.length / MOST_WAYS);
    paint.globalAlpha = 0.5;
    paint.beginPath();
    for (let part = 0; part < places.tick.length; part++) {
      const first = places.first[part], last = places.first[part + 1] - 1;
      for (let i = first; i <= last; i = i === last ? last + 1 : Math.min(i + every, last)) {
        const x = on.x(DATA.unit_m * places.x[i]), y = on.y(DATA.unit_m * places.y[i]);
        if (i === first) paint.moveTo(x, y); else paint.lineTo(x, y);
      }
    }
    paint.stroke();
    paint.globalAlpha = 1;
  }
  draw() {
    if (!this.on) return;
    const paint = this.canvas.getContext("2d"), { on, ink, stories } = this, ms = this.time_s * 1e3;
    paint.clearRect(0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
    paint.drawImage(this.layer, 0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
    for (const one of this.players) one.under?.(paint, this, ms);
    this.now = new Map();
    if (this.places) {
      const tick = this.time_s / this.places.tick_s, into = [0, 0];
      for (let part = 0; part < this.places.tick.length; part++) if (this.places.within(part, tick, into)) this.now.set(this.places.vehicle[part], [on.x(into[0]), on.y(into[1])]);
    }
    this.shown = this.now.size;
    this.linked = 0;
    paint.lineWidth = 1.5;
    for (const [, , vehicle, site, other, direction] of stories.using(ms)) {
      const from = this.now.get(vehicle), to = (site >= 0 && this.spot(site)) || this.now.get(other);
      if (!from || !to) continue;
      this.linked += 1;
      paint.strokeStyle = direction ? ink.cloud : ink.edge;
      paint.globalAlpha = this.selected?.kind === "vehicle" && this.selected.number === vehicle ? 1 : 0.75;
      this.path(paint, [from, to]);
    }
    paint.globalAlpha = 1;
    const radius = clamp(1.9 * Math.sqrt(this.zoom), 1.9, 5);
    for (const [vehicle, [x, y]] of this.now) {
      const served = stories.serving(vehicle, ms) >= 0;
      paint.beginPath(); paint.arc(x, y, radius, 0, 7);
      if (served) { paint.fillStyle = ink.vehicle; paint.fill(); } else { paint.strokeStyle = ink.lost; paint.lineWidth = 1.3; paint.stroke(); }
    }
    this.run.sites.forEach((site, i) => { if (site.x_m !== null) this.site(paint, site, i, stories.hostAt(i, ms)); });
    this.names(paint);
    if (this.selected?.kind === "vehicle" && this.now.has(this.selected.number)) this.mark(paint, this.selected.number, ms);
  }
  spot(site) { // of a site on the canvas, null for the cloud
    const { x_m, y_m } = this.run.sites[site];
    return x_m === null ? null : [this.on.x(x_m), this.on.y(y_m)];
  }
  path(paint, points) {
    paint.beginPath();
    points.forEach(([x, y], i) => i ? paint.lineTo(x, y) : paint.moveTo(x, y));
    paint.stroke();
  }
  mark(paint, vehicle, ms) { // ring, path of the last 20 s, serving site
    const site = this.stories.serving(vehicle, ms), at = this.now.get(vehicle);
    Object.assign(paint, { strokeStyle: this.ink.late, lineWidth: 2 });
    const trail = Array.from({ length: 41 }, (_, i) => this.places.at(vehicle, this.time_s - 20 + i / 2)).filter(Boolean);
    this.path(paint, trail.map(([x, y]) => [this.on.x(x), this.on.y(y)]));
    paint.beginPath(); paint.arc(...at, 8, 0, 7); paint.stroke();
    for (const one of this.players) one.mark?.(paint, at, this.ink, vehicle, ms, (node) => this.spot(node));
    if (site < 0 || !this.spot(site)) return;
    paint.setLineDash([4, 4]); paint.lineWidth = 1;
    this.path(paint, [at, this.spot(site)]);
    paint.setLineDash([]);
  }
  radius() { // of a site's sign: smaller where there are many
    return (this.canvas.clientWidth < 500 ? 7 : 10) * clamp(Math.sqrt(80 / this.run.sites.length) * this.zoom, 0.6, 1);
  }
  site(paint, site, number, host) {
    const x = this.on.x(site.x_m), y = this.on.y(site.y_m), chosen = this.selected?.kind === "site" && this.selected.number === number;
    const size = this.radius();
    paint.beginPath(); paint.arc(x, y, size, 0, 7); paint.fillStyle = this.ink.panel; paint.fill();
    Object.assign(paint, { lineWidth: 3, strokeStyle: this.ink.road }); paint.stroke();
    if (host && site.cores) { paint.beginPath(); paint.arc(x, y, size, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * clamp(host.busy / site.cores, 0, 1)); paint.strokeStyle = this.ink.edge; paint.stroke(); }
    paint.fillStyle = this.ink.ink; paint.beginPath(); paint.moveTo(x, y - 4); paint.lineTo(x + 3.5, y + 3); paint.lineTo(x - 3.5, y + 3); paint.fill();
    if (host) {
      const tall = 30 * host.queued / this.stories.mostQueued;
      paint.fillStyle = this.ink.late; paint.fillRect(x + size + 4, y + size - tall, 5, tall);
      paint.fillStyle = this.ink.muted; paint.fillRect(x + size + 4, y + size, 5, 1.5);
    }
    if (chosen) { paint.beginPath(); paint.arc(x, y, size + 5, 0, 7); Object.assign(paint, { strokeStyle: this.ink.late, lineWidth: 2 }); paint.stroke(); }
  }
  names(paint) { // of the sites, as far as they do not cover another's name or sign; the chosen one's always
    const { selected, run: { sites } } = this, small = this.canvas.clientWidth < 500, size = this.radius();
    const chosen = selected?.kind === "site" ? selected.number : -1, spots = sites.map((_, i) => this.spot(i));
    const order = sites.map((_, i) => i).filter((i) => spots[i] && (!small || this.zoom >= 2 || i === chosen)).sort((a, b) => (b === chosen) - (a === chosen) || a - b);
    Object.assign(paint, { font: "600 11px system-ui, sans-serif", textAlign: "center", lineWidth: 3, strokeStyle: this.ink.panel, fillStyle: this.ink.ink });
    const taken = new Map(), cellOf = (v) => Math.floor(v / 64); // boxes [left, top, right, bottom] by squares of 64 px
    const cells = (box) => { const found = []; for (let a = cellOf(box[0]); a <= cellOf(box[2]); a++) for (let b = cellOf(box[1]); b <= cellOf(box[3]); b++) found.push(`${a},${b}`); return found; };
    const put = (box) => cells(box).forEach((at) => { if (taken.has(at)) taken.get(at).push(box); else taken.set(at, [box]); });
    const free = (box) => cells(box).every((at) => (taken.get(at) || []).every((one) => one[2] <= box[0] || one[0] >= box[2] || one[3] <= box[1] || one[1] >= box[3]));
    this.named = [];
    for (const spot of spots) if (spot) put([spot[0] - size, spot[1] - size, spot[0] + size, spot[1] + size]);
    for (const i of order) {
      const [x, y] = spots[i], half = paint.measureText(sites[i].name).width / 2, box = [x - half, y + size + 5, x + half, y + size + 16];
      if (i !== chosen && !free(box)) continue;
      put(box);
      this.named.push(i);
      paint.strokeText(sites[i].name, x, y + size + 14); paint.fillText(sites[i].name, x, y + size + 14);
    }
  }
  pick(x, y) {
    let best = [18, null];
    const consider = (kind, number, at, closer) => { const away = Math.hypot(at[0] - x, at[1] - y) * closer; if (away < best[0]) best = [away, kind, number]; };
    for (const [vehicle, at] of this.now) consider("vehicle", vehicle, at, 1);
    this.run.sites.forEach((site, i) => { if (site.x_m !== null) consider("site", i, this.spot(i), 0.5); });
    this.select(best[1], best[2]);
  }
  select(kind, number) {
    this.selected = kind && number >= 0 && number < (kind === "site" ? this.run.sites : this.stories.tasks).length ? { kind, number } : null;
    this.chooser.value = this.selected?.kind === "site" ? number : "";
    this.number.value = this.selected?.kind === "vehicle" ? number : "";
    this.draw();
    this.tell();
    this.said.textContent = this.selected ? `story of ${this.story.querySelector("h3").textContent}` : "";
  }
  tell() {
    this.toldAt = performance.now();
    if (!this.selected) {
      this.story.replaceChildren(h("h3", {}, "Click on a vehicle or a site"), h("p", {}, "Its story appears here: the vehicle's last tasks, how they ended and where their time went; the site's queue and load."),
        h("p", { class: "keys" }, "Keys: space play or pause, ← → a step (shift: 10 s), ↑ ↓ speed, n p next or previous vehicle, + − 0 zoom, Esc close."),
        ...this.places ? [] : [h("p", { class: "note" }, "This run recorded no positions (trace.positions: true), so no vehicles are drawn; everything else is here.")],
        ...this.run.frame.stretched ? [h("p", { class: "note" }, "The map is long and narrow: its height is stretched, so that places beside the road seem farther off it than they are.")] : [],
        ...this.run.frame.missing ? [h("p", { class: "note" }, `${this.run.frame.missing}${this.places && !this.roads.length ? " Faint lines are where vehicles drove." : ""}`)] : []);
    } else this.story.replaceChildren(...(this.selected.kind === "site" ? this.siteStory(this.selected.number) : this.vehicleStory(this.selected.number)));
  }
  facts(rows) { return h("dl", {}, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, String(value))])); }
  siteStory(number) {
    return [...this.hostStory(number), ...this.players.flatMap((one) => one.siteStory?.(number, this.time_s) || [])];
  }
  hostStory(number) {
    const site = this.run.sites[number], host = this.stories.hostAt(number, this.time_s * 1e3);
    if (!host) return [h("h3", {}, site.name), h("p", {}, "This site has no host; it only gives coverage.")];
    const own = this.stories.hostOf.get(number), samples = this.stories.sample_ms.length;
    const load = Array.from({ length: samples }, (_, i) => this.stories.queued[own * samples + i] + this.stories.running[own * samples + i]), most = Math.max(1, ...load);
    const x = (ms) => 300 * ms / (this.end * 1e3), line = load.map((v, i) => `${x(this.stories.sample_ms[i]).toFixed(1)},${(50 - 46 * v / most).toFixed(1)}`).join("L");
    const vehicles = [...(this.now?.keys() || [])].filter((v) => this.stories.serving(v, this.time_s * 1e3) === number).length;
    return [h("h3", {}, site.name), this.facts([["waiting", host.queued], ["executing", `${host.running} (${site.cores} cores)`], ["CPU use since the last sample", `${(100 * host.busy / site.cores).toFixed(1)} %`],
      ...this.places && site.x_m !== null ? [["vehicles served by radio", vehicles]] : [], ["tasks executed so far", host.served.toLocaleString("en")], ["rejected so far", host.rejected.toLocaleString("en")]]),
    h("p", {}, `Waiting and executing over the run, up to ${most}:`),
    s("svg", { viewBox: "0 0 300 54", class: "spark", role: "img", "aria-label": `Tasks at ${site.name} over time, up to ${most}` }, s("path", { class: "line c-edge", d: line ? `M${line}` : "" }), s("line", { class: "rule", x1: x(this.time_s * 1e3), x2: x(this.time_s * 1e3), y1: 0, y2: 54 }))];
  }
  vehicleStory(number) {
    const { stories, run } = this, ms = this.time_s * 1e3, at = this.places?.at(number, this.time_s), site = stories.serving(number, ms);
    const all = stories.all_tasks[number], done = stories.all_completed[number], late = stories.all_late[number], flight = stories.all_in_flight[number];
    const first = stories.firstTask[number], last = lastBefore(stories.released, first, stories.firstTask[number + 1], ms), rows = [];
    for (let i = last; i >= first && i > last - 8; i--) rows.push(this.taskRow(i, ms));
    const { completed, others } = run.kept;
    const thinned = completed > 1 || others > 1 ? ` This page keeps ${keeps(run)}.` : "";
    return [h("h3", {}, `Vehicle ${number}`), h("p", { class: "keys" }, `${stories.ids[number]}, ${stories.types[stories.type[number]]}`),
      this.facts([...this.places ? [["now", at ? `x ${at[0].toFixed(1)} m, y ${at[1].toFixed(1)} m` : "not on the map"]] : [], ["serving site", site < 0 ? "none" : run.sites[site].name], ["tasks in the whole run", `${all}: ${done} in time, ${late} late, ${all - done - late - flight} lost${flight ? `, ${flight} in flight` : ""}`]]),
      ...this.players.flatMap((one) => one.vehicleStory?.(number, ms) || []),
      h("p", {}, `Its last tasks, newest first.${thinned}`), rows.length ? h("ol", { class: "tasks" }, ...rows) : h("p", { class: "none" }, "None released yet."),
      h("ul", { class: "legend" }, ...["decision", ...stories.up_key ? ["key"] : [], "uplink", "queue", "execution", "downlink"].map((name) => h("li", {}, h("i", { class: `box p-${name}` }), name)))];
  }
  taskRow(i, ms) {
    const { stories, run } = this, status = stories.status[i], lasted = stories.lasted(i), ended = stories.released[i] + lasted <= ms && status !== IN_FLIGHT;
    const where = stories.tier[i] < 0 ? "not decided" : stories.tier[i] === LOCAL ? "local" : stories.tier[i] === NEIGHBOUR ? `vehicle ${stories.target[i]}` : run.sites[stories.target[i]]?.name || wordOf("tier", stories.tier[i]);
    const bar = h("span", { class: "bar", role: "img" }), told = [], scale = Math.max(lasted, stories.deadline_ms[i], 1);
    const keyed = { uplink_ms: stories.up_key?.[i] || 0, downlink_ms: stories.down_key?.[i] || 0 }; // waits for keys, at the end of their stages
    const add = (phase, took) => {
      if (took <= 0) return;
      const part = h("i", { class: `p-${phase}`, title: `${phase} ${took} ms` });
      part.style.width = `${100 * took / scale}%`;
      bar.append(part); told.push(`${phase} ${took} ms`);
    };
    STAGES.forEach((name, k) => {
      const took = stories[name][i], wait = Math.min(took, keyed[name] || 0), phase = k === 7 && stories.phase[i] !== DONE && stories.phase[i] !== DOWNLINK ? wordOf("phase", stories.phase[i]) : STAGE_PHASE[k];
      add(phase, took - wait);
      add("key", wait);
    });
    const due = h("b", { title: `deadline ${stories.deadline_ms[i]} ms` });
    due.style.left = `${100 * stories.deadline_ms[i] / scale}%`;
    bar.append(due); bar.setAttribute("aria-label", told.join(", "));
    const outcome = status === IN_FLIGHT ? "in flight at the run's end" : ended ? wordOf("status", status) + ([COMPLETED, LATE, NO_KEY].includes(status) ? "" : stories.phase[i] === WAITING ? " waiting for a key" : ` in ${wordOf("phase", stories.phase[i])}`) : "under way";
    return h("li", {}, h("span", { class: `badge s-${!ended ? "flight" : status === COMPLETED ? "completed" : status === LATE ? "late" : "lost"}` }, outcome), h("span", { class: "ms" }, ended ? `${lasted} ms` : ""),
      h("span", { class: "what" }, `#${stories.task[i]} ${run.header.classes[stories.task_class[i]]}, ${where}, at ${(stories.released[i] / 1e3).toFixed(3)} s`), bar);
  }
  state() {
    return { time_s: this.time_s, playing: this.playing, speed: this.speed, selected: this.selected, shown: this.shown, linked: this.linked, named: this.named, zoom: this.zoom };
  }
}

function keeps({ kept }) {
  return `every ${nth(kept.completed)}task completed in time and ${kept.others > 1 ? `every ${nth(kept.others)}of those` : "all"} that were late, lost or in flight`;
}
function nth(n) { return n < 2 ? "" : n === 2 ? "2nd " : n === 3 ? "3rd " : `${n}th `; }

// ---------------------------------------------------------------- the page

function tiles(run) {
  const wanted = ["completed_ratio", "late_ratio", "latency_mean", "latency_p95", "vehicle_energy_per_task", "coverage_ratio"];
  return h("div", { class: "tiles" }, ...run.headline.filter((row) => wanted.includes(row.key)).map((row) =>
    h("div", { class: "tile" }, h("span", {}, row.label), h("strong", {}, row.value, h("small", {}, ` ${row.unit}`)), h("span", { class: "half" }, row.half ? `± ${row.half}` : " "))));
}

function table(names, cells) { // cells: [value, half width, unit]; a unit that not all runs share stands beside the values
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Key figures" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "figure"), ...DATA.runs.map((run) => h("th", { scope: "col" }, several ? label(run.header) : "value")), h("th", { scope: "col" }, "unit"))),
    h("tbody", {}, ...names.map(([key, text]) => {
      const row = DATA.runs.map((run) => cells(run, key)), units = [...new Set(row.filter(Boolean).map((cell) => cell[2]))], one = units.length < 2;
      return h("tr", {}, h("th", { scope: "row" }, text), ...row.map((cell) => h("td", {}, cell ? cell[0] : "-", h("small", {}, cell && cell[1] ? ` ± ${cell[1]}` : "", cell && !one ? ` ${cell[2]}` : ""))), h("td", { class: "unit" }, one ? units[0] ?? "" : ""));
    }))));
}

function keyFigures() {
  const heads = new Map(DATA.runs.flatMap((run) => run.headline).map((row) => [row.key, row])), every = [...new Set(DATA.runs.flatMap((run) => Object.keys(run.told)))];
  const find = (run, key) => { const row = run.headline.find((one) => one.key === key); return row && [row.value, row.half, row.unit]; };
  const sure = DATA.runs[0].header.confidence * 100;
  return h("section", { class: "card figures" }, h("h2", {}, "Key figures"), h("p", {}, `After the warm-up, with the half widths of ${short(sure)} % batch-means intervals.`),
    table([...heads].map(([key, row]) => [key, row.label]), find),
    h("details", {}, h("summary", {}, `All ${every.length} figures, by the names of cosim trace summary --json`), table(every.map((key) => [key, key]), (run, key) => run.told[key])));
}

function compared() { // the latency of all runs in one figure
  const series = DATA.runs.flatMap(({ header, series: { latency_s: { all }, levels } }, i) => all ? [{ name: label(header), colour: ["edge", "local", "cloud", "neighbour", "all"][i % 5], xs: all.curve.map((v) => v * 1e3), ys: levels.map((v) => v * 100) }] : []);
  const end = Math.max(1e-3, ...series.map((one) => one.xs[Math.round(0.99 * (one.xs.length - 1))]));
  return card("Latency of all runs", "Share of finished tasks that took at most so long.", (place, width) => { if (series.length) chart(place, width, { series, x: "latency (ms)", y: "tasks (%)", end, high: 100, said: "Distributions of latency of all runs" }); });
}

function about(head) {
  const rows = [["run id", head.run_id], ["digest", head.digest || "-"], ["cosim", head.version], ["map", head.map]];
  return h("details", { class: "about" }, h("summary", {}, `Run ${head.run_id}, digest ${head.digest.slice(0, 12) || "-"}`), h("dl", {}, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
}

let playback = null;
async function show(index) {
  const run = DATA.runs[index], head = run.header, old = playback;
  if (old && old.playing) old.toggle();
  seePanels(run);
  const [roads, places, stories, ...players] = await Promise.all([roadLines(run), run.places && columnsOf(run.places), columnsOf(run.stories), ...subjectsOf(run).map((one) => playerOf(one, run))]);
  playback = new Playback(run, roads, places && new Places(places, head.step_s * run.kept.ticks), new Stories(stories, run.sites), players.filter(Boolean));
  drawings.length = 0;
  const partial = head.complete ? "" : `, partial run, complete to ${short(head.complete_to_s)} s${head.unfinished ? `: ${head.unfinished}` : ""}`;
  const notes = ["Positions in the playback are rounded to 0.1 m and its times to 1 ms; vehicles move in straight lines between ticks. Links are those of the kept tasks, each to the site where the transfer ended."];
  if (run.kept.ticks > 1) notes.push(`To keep this page small it has every ${nth(run.kept.ticks)}tick of the positions.`);
  if (run.kept.completed > 1 || run.kept.others > 1) notes.push(`Stories and links have ${keeps(run)}; key figures and figures count all tasks.`);
  notes.push(...playback.players.map((one) => one.note?.()).filter(Boolean));
  $("page").replaceChildren(h("header", {}, h("h1", {}, head.scenario), h("p", {}, head.description), h("p", { class: "setting" }, `${head.policy}, seed ${head.seed}, ${short(head.duration_s)} s on ${head.map}${partial}`), about(head),
    ...several ? [h("nav", { "aria-label": "Runs" }, ...DATA.runs.map((one, i) => h("button", { type: "button", "aria-pressed": String(i === index), onclick: () => start(i) }, label(one.header))))] : []),
  ...several ? [keyFigures(), compared(), h("h2", {}, label(head))] : [], tiles(run), playback.element,
  h("section", { class: "grid", "aria-label": "Figures" }, ...figuresOf(run, roads)), ...extras(run), h("div", { id: "faults" }, ...faultNotes()), h("footer", {}, ...notes.map((note) => h("p", {}, note))));
  redraw();
  playback.seek(playback.time_s);
}

function extras(run) { // what only some runs have
  const part = (title, cards) => [h("h2", {}, title), h("section", { class: "grid", "aria-label": title }, ...cards)];
  return subjectsOf(run).flatMap((one) => {
    const first = drawings.length, made = guarded(one.name, () => part(one.title, one.cards(run)), []);
    const own = drawings.splice(first);
    if (made.length) drawings.push(...own.map((draw) => () => guarded(one.name, draw)));
    return made;
  });
}

function redraw() { drawings.forEach((draw) => draw()); playback?.fit(); }

function start(index) {
  window.cosim.ready = show(index).then(() => { window.cosim.loaded = true; }).catch((error) => {
    const why = typeof DecompressionStream === "undefined" ? "this browser cannot unpack gzip; use Chromium or Chrome from 80, Firefox from 113 or Safari from 16.4" : error.message;
    drawings.length = 0;
    $("page").replaceChildren(h("p", { class: "note", role: "alert" }, `The playback cannot be shown: ${why}.`), ...several ? [keyFigures()] : [], h("section", { class: "grid" }, ...figuresOf(DATA.runs[index], [])), ...extras(DATA.runs[index]), h("div", { id: "faults" }, ...faultNotes()));
    redraw();
  });
}
