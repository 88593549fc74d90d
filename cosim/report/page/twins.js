// The digital twin: its figures, and the twins in the stories of vehicles and sites. Only pages of runs with twins have this.

const SHOWN_HOSTS = 40, TOLD_MOVES = 4, AGES_S = 60;
const took = (s) => s >= 1 ? `${short(s)} s` : `${short(s * 1e3)} ms`;

class Twins {
  constructor(run, columns) {
    Object.assign(this, { run, every: run.series.twin.lives.every, placed: run.series.twin.placed, hosts: run.series.twin.hosts }, columns);
    [this.firstNews, this.firstHome] = [begins(columns.news), begins(columns.homes)];
    this.synced = sums(columns.synced_ms, this.firstNews);
    this.home = sums(columns.home_ms, this.firstHome);
  }
  there(vehicle, ms) { return this.entered_ms[vehicle] >= 0 && this.entered_ms[vehicle] <= ms + 0.5 && (this.left_ms[vehicle] < 0 || ms < this.left_ms[vehicle]); }
  last(vehicle, ms) { return lastBefore(this.synced, this.firstNews[vehicle], this.firstNews[vehicle + 1], ms + 0.5); }
  since(vehicle, i) { return i < this.firstNews[vehicle] ? this.entered_ms[vehicle] : this.synced[i] - this.old_ms[i]; } // time of the state that news i brought; before the first, that of its entry
  age_s(vehicle, ms) { return Math.max(0, ms - this.since(vehicle, this.last(vehicle, ms))) / 1e3; }
  lives(vehicle, ms) { // { node, next }: where it answers, -1 nowhere, and the change that is under way
    const end = this.firstHome[vehicle + 1], i = lastBefore(this.home, this.firstHome[vehicle], end, ms + 0.5);
    const next = i + 1 < end && this.home_node[i + 1] >= 0 && this.home[i + 1] - this.home_took_ms[i + 1] <= ms ? i + 1 : -1;
    const still = next >= 0 && this.home[next] - this.home_still_ms[next] <= ms;
    return { node: i < this.firstHome[vehicle] || still ? -1 : this.home_node[i], at: i, next, from: i < this.firstHome[vehicle] ? -1 : this.home_node[i] };
  }
  name(node) { return this.run.sites[node]?.name ?? `node ${node}`; }
  where(vehicle, ms) {
    const { node, next, from } = this.lives(vehicle, ms), to = next < 0 ? "" : this.name(this.home_node[next]);
    if (next >= 0) return from < 0 ? `it is being made on ${to}` : node < 0 ? `it stands still, on its way from ${this.name(from)} to ${to}` : `${this.name(node)}, while it is copied to ${to}`;
    return node >= 0 ? this.name(node) : this.placed ? "on no host yet" : "no message has come yet";
  }
  legend(key) { return [key("dash c-twin", "chosen vehicle to its twin")]; }
  note() { return this.every > 1 ? `To keep this page small only every ${nth(this.every)}vehicle's story has its twin; the figures count all.` : ""; }
  mark(paint, at, ink, vehicle, ms, spot) { // from a vehicle to the node of its twin
    if (vehicle % this.every || !this.there(vehicle, ms)) return;
    const { node } = this.lives(vehicle, ms), to = node >= 0 && this.run.sites[node] && spot(node);
    if (!to) return;
    paint.save();
    Object.assign(paint, { strokeStyle: ink.execution, lineWidth: 2 });
    paint.setLineDash([2, 4]); paint.beginPath(); paint.moveTo(...at); paint.lineTo(...to); paint.stroke();
    paint.restore();
  }
  vehicleStory(vehicle, ms) {
    const head = h("h4", {}, "Digital twin");
    if (vehicle % this.every) return [head, h("p", { class: "none" }, `To keep this page small only every ${nth(this.every)}vehicle's twin is told of.`)];
    if (!this.there(vehicle, ms)) return [head, h("p", { class: "none" }, "It has a twin while it is on the map.")];
    const i = this.last(vehicle, ms), rows = [["age of its state", took(this.age_s(vehicle, ms))], ["lives on", this.where(vehicle, ms)], ["its news so far", (i - this.firstNews[vehicle] + 1).toLocaleString("en")]];
    return [head, h("dl", {}, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])), ...this.ages(vehicle, ms), ...this.moves(vehicle, ms)];
  }
  ages(vehicle, ms) { // its age over the last time, a saw
    const from = Math.max(this.entered_ms[vehicle], ms - AGES_S * 1e3), points = [[from, this.age_s(vehicle, from)]];
    for (let i = this.last(vehicle, from) + 1; i <= this.last(vehicle, ms); i++) points.push([this.synced[i], (this.synced[i] - this.since(vehicle, i - 1)) / 1e3], [this.synced[i], this.old_ms[i] / 1e3]);
    points.push([ms, this.age_s(vehicle, ms)]);
    const most = Math.max(1e-3, ...points.map(([, age]) => age)), x = (v) => 300 * (v - from) / Math.max(1, ms - from), y = (age) => 50 - 46 * age / most;
    const said = `Its age over the last ${short((ms - from) / 1e3)} s, up to ${took(most)}`;
    return [h("p", {}, `${said}:`), s("svg", { viewBox: "0 0 300 54", class: "spark", role: "img", "aria-label": said }, s("path", { class: "line c-edge", d: `M${points.map(([t, age]) => `${x(t).toFixed(1)},${y(age).toFixed(1)}`).join("L")}` }))];
  }
  moves(vehicle, ms) { // its last changes of home, newest first
    const { at } = this.lives(vehicle, ms), rows = [], first = this.firstHome[vehicle];
    for (let i = at; i >= first && i > at - TOLD_MOVES; i--) {
      const from = i > first ? this.home_node[i - 1] : -1, to = this.home_node[i], lasted = this.home_took_ms[i] / 1e3, when = `${(this.home[i] / 1e3).toFixed(1)} s: `;
      rows.push(h("li", {}, when + (to < 0 ? "no host had room or was in reach" : `${from < 0 ? this.placed ? `made on ${this.name(to)}` : `first heard by ${this.name(to)}` : `from ${this.name(from)} to ${this.name(to)}`}${this.placed ? `, ${took(lasted)}${from < 0 ? "" : `, still for ${took(this.home_still_ms[i] / 1e3)}`}` : ""}`)));
    }
    const before = Math.max(0, at - first + 1 - TOLD_MOVES);
    return rows.length ? [h("p", {}, `Where it moved, newest first${before ? `; ${before} before these` : ""}:`), h("ol", { class: "moves" }, ...rows)] : [];
  }
  siteStory(node, time_s) { // how many twins a site carries
    const { until_s, twins, capacity } = this.hosts, row = this.hosts.node.indexOf(node), i = lastBefore(until_s, 0, until_s.length, time_s + 1e-9), head = h("h4", {}, "Digital twins");
    if (row < 0) return [head, h("p", { class: "none" }, this.placed ? "This site carries no twins." : "No twin ever lived here.")];
    const own = twins[row], most = Math.max(1, ...own), end = this.run.header.complete_to_s || 1, x = (v) => 300 * v / end, line = own.map((v, k) => `${x(until_s[k]).toFixed(1)},${(50 - 46 * v / most).toFixed(1)}`).join("L");
    const text = `${(i < 0 ? 0 : own[i]).toLocaleString("en")}${capacity ? ` of at most ${capacity[row].toLocaleString("en")}` : ""}`, said = `Twins at ${this.name(node)} over the run, up to ${most}`;
    return [head, h("dl", {}, h("dt", {}, "carries"), h("dd", {}, text)), h("p", {}, `${said}:`),
      s("svg", { viewBox: "0 0 300 54", class: "spark", role: "img", "aria-label": said }, s("path", { class: "line c-execution", d: line ? `M${line}` : "" }), s("line", { class: "rule", x1: x(time_s), x2: x(time_s), y1: 0, y2: 54 }))];
  }
}

function homesOf(place, width, run) { // twins of each host over time, those that were fullest first
  const { until_s, node, twins, capacity } = run.series.twin.hosts, peak = twins.map((one) => Math.max(0, ...one)), part = (r, v) => capacity ? v / Math.max(1, capacity[r]) : v;
  const order = node.map((_, r) => r).sort((a, b) => part(b, peak[b]) - part(a, peak[a]) || a - b).slice(0, SHOWN_HOSTS).sort((a, b) => a - b);
  const most = Math.max(1e-9, ...order.map((r) => part(r, peak[r]))), text = (r, v) => `${v.toLocaleString("en")}${capacity ? `/${capacity[r].toLocaleString("en")}` : ""}`;
  rowsOver(place, width, { until_s, most, names: order.map((r) => run.sites[node[r]]?.name ?? `node ${node[r]}`), values: order.map((r) => twins[r].map((v) => part(r, v))), notes: order.map((r) => text(r, peak[r])),
    said: `Twins at each host over time, at most ${order.map((r) => `${run.sites[node[r]]?.name} ${text(r, peak[r])}`).join(", ")}`, told: (k, i) => `at ${short(until_s[i])} s: ${text(order[k], twins[order[k]][i])} twins` });
  place.append(capacity ? scale(0, 100 * most, "% of the places; on the right: most twins / places") : scale(0, most, "twins; on the right: most"));
}

function twinCards(run) {
  const { samples, every, slices, hosts, moves, placed } = run.series.twin, { begin_s, slice_s } = run.series.outcomes, end = run.header.complete_to_s || 1, time = { x: "time (s)", end, warmup: run.header.warmup_s };
  const some = (ys) => ys.some((v) => v !== null), by = (ys, factor) => ys.map((v) => v === null ? null : v * factor), sum = (ys) => ys.reduce((a, b) => a + b, 0);
  const lines = (...rows) => rows.filter(([, , ys]) => some(ys)).map(([name, colour, ys]) => ({ name, colour, ys, xs: samples.time_s }));
  const stairs = (...rows) => rows.filter(([, , ys]) => some(ys)).map(([name, colour, ys]) => ({ name, colour, ys, xs: begin_s }));
  const drawn = (series, options, without) => series.length ? (place, width) => chart(place, width, { ...time, series, ...options }) : (place) => place.append(h("p", { class: "none" }, without));
  const nothing = "No twin was sampled in this run.", at = every > 1 ? ` at every ${nth(every)}sample` : " at each sample";
  const exact = slices.mean_age_s.flatMap((v) => [v, v]), edges = begin_s.flatMap((v) => [v, Math.min(end, v + slice_s)]);
  const ages = [...lines(["oldest", "local", samples.max_age_s], ["mean", "edge", samples.mean_age_s]), ...some(exact) ? [{ name: `mean over each ${short(slice_s)} s`, colour: "all", xs: edges, ys: exact }] : []];
  const bound = lines(["largest deviation", "edge", samples.demand_error_per_s], ["bound", "lost", samples.demand_bound_per_s]);
  const seconds = ["made", "moved", "still"].flatMap((name) => [moves[`${name}_p50_s`], moves[`${name}_p95_s`]]).flat().reduce((a, b) => Math.max(a, b ?? 0), 0) >= 2, unit = seconds ? 1 : 1e3;
  const quantiles = (name, label, colours) => [50, 95].map((level, i) => [`${label}, p${level}`, colours[i], by(moves[`${name}_p${level}_s`], unit)]);
  const [rate, rateUnit] = [[1e6, "Mbit/s"], [1e3, "kbit/s"], [1, "bit/s"]].find(([factor]) => slices.bps.some((v) => v >= factor)) || [1, "bit/s"];
  const counts = `${sum(moves.made).toLocaleString("en")} ${placed ? "made" : "heard first"}, ${sum(moves.moved).toLocaleString("en")} moved${placed ? `, ${sum(moves.homeless).toLocaleString("en")} that found no host at first` : ""}.`;
  const more = hosts.node.length > SHOWN_HOSTS ? ` The ${SHOWN_HOSTS} of ${hosts.node.length} that were fullest.` : "";
  return [
    card("Age of information", `How old the states are that the twins have,${at}; and the exact mean over each ${short(slice_s)} s, the integral of all ages over that of the number of twins.`, drawn(ages, { y: "age (s)", said: "Age of the twins' states over time" }, nothing)),
    card("Forecast error", `Distance from the true place: of the last state that came, and of the forecast,${at}.`, drawn(lines(["last state, mean", "neighbour", samples.mirror_error_m], ["forecast, mean", "edge", samples.mean_error_m], ["forecast, p95", "local", samples.p95_error_m]), { y: "error (m)", said: "Error of the twins over time" }, nothing)),
    card("Inside the 90 % disc", `Share of the true places inside the disc that the forecast said to hold 90 %,${at}.`, drawn(lines(["inside", "edge", by(samples.inside_ratio, 100)]), { y: "vehicles (%)", high: 100, levels: [{ name: "90 %", value: 90 }], said: "Share of vehicles inside the forecast's disc over time" }, "Nothing was forecast in this run.")),
    card("Synchronisation messages", "Sent, come with news, and lost: on the air, on the way, or overtaken by a newer one.", drawn(stairs(["sent", "all", slices.sent], ["news", "edge", slices.received], ["lost", "lost", slices.lost]), { steps: true, y: "per s", said: "Synchronisation messages per second over time" }, nothing)),
    card("Synchronisation traffic", "All messages that were sent.", drawn(stairs(["sent", "edge", by(slices.bps, 1 / rate)]), { steps: true, y: rateUnit, said: "Bit rate of synchronisation over time" }, nothing)),
    ...bound.length ? [card("Task arrivals forecast", `Largest deviation of the arrival rate over the sites, and the bound that was held (S1 eq 9),${at}.`, drawn(bound, { y: "tasks/s", said: "Deviation of the arrival forecast and its bound over time" }))] : [],
    card("Where twins live", `${placed ? "Twins at each host; one on its way counts at both ends." : "Without a placement a twin lives at the site that last told it news."}${more}`, hosts.node.length && hosts.until_s.length ? (place, width) => homesOf(place, width, run) : (place) => place.append(h("p", { class: "none" }, "No twin lived anywhere in this run."))),
    card("When twins move", `In each ${short(slice_s)} s. ${counts}`, sum([...moves.made, ...moves.moved, ...moves.homeless]) ? drawn(stairs([placed ? "made" : "heard first", "edge", moves.made], ["moved", "local", moves.moved], ...placed ? [["no host", "lost", moves.homeless]] : []), { steps: true, stacked: true, y: "twins", said: "Twins made and moved over time" }) : (place) => place.append(h("p", { class: "none" }, "No twin moved in this run."))),
    ...placed ? [card("How long moves took", "From when a twin's data or state set out until it answered; while it stands still it hears nothing.", drawn(stairs(...quantiles("made", "making", ["edge", "cloud"]), ...quantiles("moved", "moving", ["late", "local"]), ["standing still, p50", "execution", by(moves.still_p50_s, unit)]), { steps: true, y: seconds ? "s" : "ms", said: "Time that making and moving twins took" }, "No twin was made or moved in this run."))] : [],
  ];
}

SUBJECTS.push({ name: "twin", title: "Digital twin", cards: twinCards, open: async (run) => new Twins(run, await columnsOf(run.series.twin.lives.columns)) });
