"use strict";
// The page itself: what stands where.

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
