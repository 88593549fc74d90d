"use strict";
// The playback: vehicles, links and sites on a canvas, at any moment of the run, and the story of one of them.

const BESIDE_PX = 44; // of the stage, for the zoom buttons: no site lies under them before one zooms
const STAGE_PHASE = ["decision", "decision", "uplink", "backhaul", "queue", "execution", "return", "downlink"];
const MOST_WAYS = 200000; // corners of vehicles' ways that stand in for roads
const SPEEDS = [0.25, 0.5, 1, 2, 5, 10, 20, 60];
const NAMED_PX = 64; // between sites, from which on they are named without being pointed at

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
    this.canvas.addEventListener("pointermove", (event) => this.hover(event));
    this.canvas.addEventListener("pointerleave", () => this.hover(null));
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
  tall(width) { // the height of the stage: the map fills its width, as far as the window is high enough
    if (innerWidth <= 860) return 340;
    return Math.round(clamp((width - BESIDE_PX) / aspectOf(this.run.frame), 360, clamp(0.85 * innerHeight, 520, 820)));
  }
  fit() { // after a resize, a change of colours or of zoom: the roads are drawn once, onto a layer of their own
    const width = this.canvas.clientWidth, height = this.tall(width), dense = devicePixelRatio || 1;
    if (!width) return;
    this.canvas.style.height = `${height}px`;
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
  hover(event) { // what a site under the pointer is called, and does
    const near = (i) => { const at = this.spot(i); return at && Math.hypot(at[0] - event.offsetX, at[1] - event.offsetY) <= this.radius() + 3; };
    const site = event && !event.buttons ? this.run.sites.findIndex((_, i) => near(i)) : -1;
    if (site < 0) { if (this.hovered) tip(null); this.hovered = false; return; }
    const host = this.stories.hostAt(site, this.time_s * 1e3);
    this.hovered = true;
    tip(event, [this.run.sites[site].name, host ? `${host.queued} waiting, ${host.running} executing, CPU ${percent(host.busy / this.run.sites[site].cores)}` : "no host"]);
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
  apart() { // about how far sites are from each other on the canvas, px
    const { low_m, high_m } = this.run.frame, on = this.on, stands = this.run.sites.filter((site) => site.x_m !== null).length;
    return Math.sqrt(Math.abs((on.x(high_m[0]) - on.x(low_m[0])) * (on.y(high_m[1]) - on.y(low_m[1]))) / Math.max(1, stands));
  }
  names(paint) { // of the sites, unless they stand close to each other, as far as they do not cover another's name or sign; the chosen one's always
    const { selected, run: { sites } } = this, small = this.canvas.clientWidth < 500, size = this.radius();
    const chosen = selected?.kind === "site" ? selected.number : -1, spots = sites.map((_, i) => this.spot(i));
    const order = sites.map((_, i) => i).filter((i) => spots[i] && ((!small || this.zoom >= 2) && this.apart() >= NAMED_PX || i === chosen)).sort((a, b) => (b === chosen) - (a === chosen) || a - b);
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
