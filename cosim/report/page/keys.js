// The key network on the map of the playback, and the figures about keys. Only pages of runs with keys have this.

const UP = codeOf("link_state", "UP");
const SCALES = [[1e9, "Gbit"], [1e6, "Mbit"], [1e3, "kbit"], [1, "bit"]];
const scaleOf = (most) => SCALES.find(([factor]) => most >= factor) || SCALES.at(-1);
function bits(value) {
  const [factor, unit] = scaleOf(value);
  return `${short(value / factor)} ${unit}`;
}
const linkName = (net, link) => { const { from_node, to_node } = net.links[link]; return [from_node, to_node].map((node) => net.nodes.find((one) => one.node === node)?.name ?? node).join("–"); };

class KeyNet {
  constructor(net, columns) {
    Object.assign(this, { net, ms: columns.sample_ms, nodes: new Map(net.nodes.map((node) => [node.node, node])), changes: net.links.map(() => [[], []]) });
    const samples = this.ms.length;
    this.levels = sums(columns.stored, begins(Array(net.links.length).fill(samples))).map((v) => v * net.unit_bit);
    columns.changed_ms.forEach((ms, i) => { const [times, states] = this.changes[columns.changed_link[i]]; times.push(ms); states.push(columns.changed_state[i]); });
  }
  stored(link, ms) {
    const k = lastBefore(this.ms, 0, this.ms.length, ms + 0.5);
    return k < 0 ? this.net.links[link].initial_bit : this.levels[link * this.ms.length + k];
  }
  state(link, ms) {
    const [times, states] = this.changes[link], k = lastBefore(times, 0, times.length, ms + 0.5);
    return k < 0 ? UP : states[k];
  }
  legend(key) { return [h("li", {}, "QKD link, by its pool: ", scale(0, 100, "%")), key("dash c-cut", "link down")]; }
  under(paint, { on, ink, zoom, run: { sites } }, ms) { // under vehicles and sites: links by the level of their pools, then nodes that are no sites
    const at = (node) => { const { x_m, y_m } = this.nodes.get(node) || {}; return typeof x_m === "number" ? [on.x(x_m), on.y(y_m)] : null; };
    const stroke = (from, to, style, width) => { Object.assign(paint, { strokeStyle: style, lineWidth: width }); paint.beginPath(); paint.moveTo(...from); paint.lineTo(...to); paint.stroke(); };
    this.net.links.forEach((link, i) => {
      const from = at(link.from_node), to = at(link.to_node);
      if (!from || !to) return;
      if (this.state(i, ms) !== UP) { paint.setLineDash([5, 4]); stroke(from, to, ink.lost, 1.6); paint.setLineDash([]); return; }
      paint.globalAlpha = 0.7;
      stroke(from, to, ink.muted, 3);
      stroke(from, to, colour(this.stored(i, ms) / link.capacity_bit), 1.8);
      paint.globalAlpha = 1;
    });
    const alone = this.net.nodes.filter((node) => !sites[node.node] && at(node.node));
    for (const node of alone) {
      const [x, y] = at(node.node);
      paint.beginPath(); paint.moveTo(x, y - 6); paint.lineTo(x + 6, y); paint.lineTo(x, y + 6); paint.lineTo(x - 6, y); paint.closePath();
      Object.assign(paint, { fillStyle: ink.panel, strokeStyle: ink.muted, lineWidth: 2 }); paint.fill(); paint.stroke();
      if (alone.length > 12 && zoom < 2) continue;
      Object.assign(paint, { font: "11px system-ui, sans-serif", textAlign: "center", lineWidth: 3, strokeStyle: ink.panel, fillStyle: ink.muted });
      paint.strokeText(node.name, x, y + 18); paint.fillText(node.name, x, y + 18);
    }
  }
  siteStory(node, time_s) { // links of a site's node, and what they store
    const own = this.net.links.flatMap((link, i) => [link.from_node, link.to_node].includes(node) ? [[link, i]] : []);
    if (!own.length) return [];
    const ms = time_s * 1e3, rows = own.map(([link, i]) => {
      const state = this.state(i, ms), other = link.from_node === node ? link.to_node : link.from_node;
      return [this.nodes.get(other)?.name ?? String(other), `${bits(this.stored(i, ms))} of ${bits(link.capacity_bit)}${state === UP ? "" : `, ${wordOf("link_state", state)}`}`];
    });
    return [h("h4", {}, "Keys stored on its links"), h("dl", {}, ...rows.flatMap(([name, value]) => [h("dt", {}, `to ${name}`), h("dd", {}, value)]))];
  }
}

function keyCards(run) {
  const keys = run.series.keys, net = keys.net, { begin_s, slice_s } = run.series.outcomes, end = run.header.complete_to_s || 1;
  const time = { x: "time (s)", end, warmup: run.header.warmup_s }, names = keys.named.map((link) => linkName(net, link));
  const others = net.links.length - names.length, which = others ? ` Lines: ${names.length} links, those that were down and then the emptiest; band: the other ${others}, lowest to highest.` : "";
  const by = (values, factor) => values.map((v) => v === null ? null : v * factor);
  const most = (values) => values.flat().reduce((a, b) => Math.max(a, b ?? 0), 0);
  const lines = (one, xs, factor) => [...one.high ? [{ name: others === 1 ? "the other" : "the others", colour: "band", xs, ys: by(one.high, factor), lows: by(one.low, factor) }] : [],
    ...one.lines.map((ys, i) => ({ name: names[i], colour: `k${i}`, xs, ys: by(ys, factor) }))];
  const spans = keys.down.map(({ link, state, begin_s, end_s }) => ({ begin: begin_s, end: end_s, kind: wordOf("link_state", state), name: `${link < 0 ? "another link" : linkName(net, link)} ${wordOf("link_state", state)}` }));
  const [pool, poolUnit] = scaleOf(most([keys.stored.high || [], ...keys.stored.lines])), [own, ownUnit] = scaleOf(most(keys.vehicles.stored_bit)), [rate, rateUnit] = scaleOf(most([keys.key_bps.high || [], ...keys.key_bps.lines]));
  const plot = (options) => (place, width) => options.series.length ? chart(place, width, { ...time, ...options }) : place.append(h("p", { class: "none" }, "This run has no QKD links."));
  const stepped = (rows) => rows.map(([name, colour, ys]) => ({ name, colour, ys, xs: begin_s }));
  const lost = keys.tasks.no_key.some(Boolean) || keys.tasks.downgraded.some(Boolean);
  return [
    card("Key pools", `Key stored on each link; shaded while a link is down.${which}`, plot({ series: lines(keys.stored, keys.stored.time_s, 1 / pool), spans, y: poolUnit, said: "Stored key of each link over time" })),
    card("Key rate", `Mean secret key rate of each link.${which}`, plot({ series: lines(keys.key_bps, begin_s, 1 / rate), spans, steps: true, y: `${rateUnit}/s`, said: "Key rate of each link over time" })),
    card("QBER", `Mean error rate of each link, without a signal none; above the threshold its key is thrown away.${which}`, plot({ series: lines(keys.qber, begin_s, 100), spans, steps: true, y: "QBER (%)", levels: [{ name: `abort above ${short(100 * keys.abort_qber)} %`, value: 100 * keys.abort_qber }], said: "Error rate of each link over time" })),
    card("Vehicles' keys", "Key stored in all vehicles' pools together.", plot({ series: [{ name: `stored (${ownUnit})`, colour: "edge", xs: begin_s.map((v) => Math.min(end, v + slice_s)), ys: by(keys.vehicles.stored_bit, 1 / own) }], y: ownUnit, said: "Key stored in vehicles over time" })),
    card("Waiting for keys", "Mean number of transfers whose key is not there, and of vehicles that want more key.", plot({ series: stepped([["transfers that wait", "late", keys.vehicles.waiting], ["vehicles that fill", "edge", keys.vehicles.filling]]), steps: true, y: "number", said: "Transfers and vehicles that wait for keys over time" })),
    card("Key waits", "How long tasks that asked for keys waited for them, both directions together, by time of release.", plot({ series: stepped([["p50", "edge", by(keys.waits_s.p50, 1e3)], ["p95", "local", by(keys.waits_s.p95, 1e3)]]), steps: true, y: "wait (ms)", said: "Waits for keys over time" })),
    card("Tasks short of keys", `Tasks that ended NO_KEY and tasks that were downgraded, in each ${short(slice_s)} s.`, lost ? plot({ series: stepped([["NO_KEY", "lost", keys.tasks.no_key], ["downgraded", "late", keys.tasks.downgraded]]), steps: true, stacked: true, y: "tasks", said: "Tasks without quantum keys over time" }) : (place) => place.append(h("p", { class: "none" }, "No task of this run was short of keys."))),
  ];
}

SUBJECTS.push({ name: "keys", title: "Quantum keys", cards: keyCards, open: async (run) => new KeyNet(run.series.keys.net, await columnsOf(run.series.keys.net.levels)) });
