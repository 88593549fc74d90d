"use strict";
// One page about one run or several. Every number comes from the data in the page; nothing is fetched.

const DATA = JSON.parse(document.getElementById("data").textContent);
const wordOf = (table, code) => DATA.codes[table][code]?.[1] ?? String(code);
const codeOf = (table, name) => Number(Object.keys(DATA.codes[table]).find((code) => DATA.codes[table][code][0] === name));
const [COMPLETED, LATE, IN_FLIGHT, NO_KEY] = ["COMPLETED", "LATE", "IN_FLIGHT", "NO_KEY"].map((name) => codeOf("status", name));
const [UPLINK, DOWNLINK, DONE, WAITING] = ["UPLINK", "DOWNLINK", "DONE", "KEY"].map((name) => codeOf("phase", name));
const [LOCAL, NEIGHBOUR] = ["LOCAL", "NEIGHBOUR"].map((name) => codeOf("tier", name));
const STAGES = ["decided_ms", "uplink_ms", "uplinked_ms", "queued_ms", "started_ms", "executed_ms", "downlink_ms", "time_ms"];
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
