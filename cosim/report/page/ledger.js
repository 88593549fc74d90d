// The figures about the ledger, and the stake of a site. Only pages of runs with a ledger have this.

const NAMED_VALIDATORS = 8;
const finalityOf = (blocks) => blocks.time_s.map((v, i) => v - blocks.proposed_s[i]);

function blockStrip(place, width, run, colours, parted) { // each block from its proposal until it was final, in its proposer's colour
  const { blocks, offences, validators } = run.series.ledger, end = run.header.complete_to_s || 1, left = 14, right = 14, top = 24, tall = 46, height = top + tall + 44;
  const px = (v) => left + (width - left - right) * clamp(v / end, 0, 1), name = (validator) => validators.find((one) => one.validator === validator)?.name ?? validator;
  const root = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Blocks over time: ${saidOf(run)}` });
  root.append(s("rect", { class: "track", x: left, y: top, width: px(end) - left, height: tall, rx: 3 }));
  shade(root, parted, px, top - 6, tall + 12);
  let free = -Infinity;
  blocks.time_s.forEach((time_s, i) => {
    const from = px(blocks.proposed_s[i]), to = Math.max(from + 3, px(time_s));
    root.append(s("rect", { class: `mark c-${colours.get(blocks.proposer[i]) || "flight"}`, x: from, y: top, width: to - from, height: tall }));
    if (blocks.round[i]) root.append(s("path", { class: "round", d: `M${(from + to) / 2 - 5},${top - 13}h10l-5,9Z` }));
    if (from - free < 26) return;
    root.append(s("text", { class: "tick", x: (from + to) / 2, y: top + tall + 14, "text-anchor": "middle" }, blocks.height[i]));
    free = from;
  });
  for (const one of offences) root.append(s("path", { class: "offence", d: `M${px(one.time_s) - 5},${top + tall - 16}l10,10m0,-10l-10,10` }));
  for (const v of ticks(end, Math.max(2, Math.floor(width / 80)))) root.append(s("line", { class: "grid", x1: px(v), x2: px(v), y1: top + tall + 18, y2: top + tall + 22 }), s("text", { class: "tick", x: px(v), y: top + tall + 33, "text-anchor": v > 0.96 * end ? "end" : "middle" }, `${short(v)} s`));
  root.addEventListener("pointermove", (event) => {
    const at = (event.offsetX - left) / (width - left - right) * end, i = nearest(blocks.time_s, at), near = 8 * end / (width - left - right);
    if (at < 0 || at > end) return tip(null);
    const lines = i < 0 || Math.abs(blocks.time_s[i] - at) > Math.max(near, blocks.time_s[i] - blocks.proposed_s[i]) ? [`${short(at)} s: no block`] : [`block ${blocks.height[i]}, round ${blocks.round[i]}, by ${name(blocks.proposer[i])}`,
      `proposed ${blocks.proposed_s[i].toFixed(3)} s, final ${((blocks.time_s[i] - blocks.proposed_s[i]) * 1e3).toFixed(0)} ms later`, `${blocks.records[i].toLocaleString("en")} records`];
    return tip(event, [...lines, ...offences.filter((one) => Math.abs(one.time_s - at) <= near).map((one) => `${wordOf("offence", one.offence)} by ${name(one.accused)} at height ${one.height}, round ${one.round}`),
      ...parted.filter((one) => one.begin <= at && at <= one.end).map((one) => one.name)]);
  });
  root.addEventListener("pointerleave", () => tip(null));
  place.append(root, h("ul", { class: "legend" }, ...[...colours].map(([validator, one]) => h("li", {}, h("i", { class: `box c-${one}` }), name(validator))),
    ...blocks.proposer.some((one) => !colours.has(one)) ? [h("li", {}, h("i", { class: "box c-flight" }), "others")] : [],
    ...blocks.round.some(Boolean) ? [h("li", {}, "▼ later than round 0")] : [], ...offences.length ? [h("li", {}, "✕ offence found")] : [], ...parted.length ? [h("li", {}, h("i", { class: "box c-parted" }), "parted")] : []));
}

function nearest(values, wanted) {
  const i = lastBefore(values, 0, values.length, wanted);
  return i + 1 < values.length && (i < 0 || values[i + 1] - wanted < wanted - values[i]) ? i + 1 : i;
}

function saidOf(run) {
  const { blocks, all_blocks, every, offences, partitions, interval_s } = run.series.ledger, later = blocks.round.filter(Boolean).length, moments = [0, ...blocks.time_s, run.header.complete_to_s];
  const gap = Math.max(...moments.slice(1).map((v, i) => v - moments[i])), one = (n, name) => `${n} ${name}${n === 1 ? "" : "s"}`;
  return `${one(all_blocks, "block")}${every > 1 ? `, of which every ${nth(every)}is shown` : `, ${later} later than round 0`}, at most ${short(gap)} s without one (wanted each ${short(interval_s)} s), ${one(offences.length, "offence")}, ${one(partitions.length, "partition")}.`;
}

function stakeStory(ledger, site, time_s) { // credits of a site's validator at the height that is voted on
  const number = ledger.validators.findIndex((one) => one.site === site), { blocks, stakes } = ledger;
  if (number < 0) return [];
  const i = lastBefore(blocks.began_s, 0, blocks.began_s.length, time_s), height = i < 0 ? 1 : time_s >= blocks.time_s[i] ? blocks.height[i] + 1 : blocks.height[i];
  const k = lastBefore(stakes.height, 0, stakes.height.length, height), credits = k < 0 ? null : stakes.credits[number][k], all = k < 0 ? 0 : stakes.credits.reduce((sum, one) => sum + (one[k] || 0), 0);
  const made = blocks.time_s.filter((v, j) => v <= time_s && blocks.proposer[j] === ledger.validators[number].validator).length;
  const rows = [["stake", credits === null ? "does not vote" : `${credits.toLocaleString("en")} credits (${(100 * credits / (all || 1)).toFixed(1)} %)`], ["height now", height.toLocaleString("en")], ...ledger.every > 1 ? [] : [["its blocks so far", made.toLocaleString("en")]]];
  return [h("h4", {}, "Ledger"), h("dl", {}, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]))];
}

function ledgerCards(run) {
  const ledger = run.series.ledger, { blocks, stakes, validators, finality_s } = ledger, end = run.header.complete_to_s || 1, time = { x: "time (s)", end, warmup: run.header.warmup_s };
  const latest = (credits) => credits.findLast((v) => v !== null) ?? -1, order = validators.map((one, i) => [latest(stakes.credits[i]), one, i]).sort((a, b) => b[0] - a[0]).slice(0, NAMED_VALIDATORS).sort((a, b) => a[2] - b[2]);
  const colours = new Map(order.map(([, one], i) => [one.validator, `k${i}`])), rest = validators.flatMap((one, i) => colours.has(one.validator) ? [] : [stakes.credits[i]]);
  const parted = ledger.partitions.map((one) => ({ begin: one.begin_s, end: one.end_s, kind: "parted", name: `parted: ${one.groups}` }));
  const took = finalityOf(blocks).map((v) => v * 1e3), dots = (name, colour, chosen, ys) => ({ name, colour, dots: true, xs: blocks.time_s.filter((_, i) => chosen(i)), ys: ys.filter((_, i) => chosen(i)) });
  const later = blocks.round.some(Boolean), split = (ys) => [dots(later ? "round 0" : "blocks", "edge", (i) => !blocks.round[i], ys), ...later ? [dots("later rounds", "local", (i) => blocks.round[i] > 0, ys)] : []].filter((one) => one.xs.length);
  const across = (among) => stakes.height.map((_, k) => { const found = rest.map((one) => one[k]).filter((v) => v !== null); return found.length ? among(...found) : null; });
  const credits = [...rest.length ? [{ name: "the others", colour: "band", xs: stakes.height, ys: across(Math.max), lows: across(Math.min) }] : [], ...order.map(([, one, i], k) => ({ name: one.name, colour: `k${k}`, xs: stakes.height, ys: stakes.credits[i] }))];
  const none = (place) => place.append(h("p", { class: "none" }, "No block was final in this run.")), draw = (drawn) => blocks.time_s.length ? drawn : none;
  const quantiles = [["p50", finality_s.p50], ["p95", finality_s.p95]].filter(([, v]) => v !== null).map(([name, v]) => ({ name: `${name} ${short(v * 1e3)} ms`, value: v * 1e3, quiet: true }));
  const shares = sharesOf(run, "ledger_cpu_share/");
  return [
    card("Blocks", `Each from its proposal until it was final, numbers are heights. ${saidOf(run)}`, draw((place, width) => blockStrip(place, width, run, colours, parted)), "wide"),
    card("Time to finality", "From the time in a block's header until enough validators had decided it; quantiles after the warm-up. The key figure, eq 21, also counts the making of the block.", draw((place, width) => chart(place, width, { ...time, series: split(took), spans: parted, levels: quantiles, y: "ms", said: "Time to finality of each block" }))),
    card("Records per block", "In the batches of each block.", draw((place, width) => chart(place, width, { ...time, series: split(blocks.records), spans: parted, y: "records", said: "Records in each block" }))),
    card("Stakes", `Credits with which each validator votes at a height.${rest.length ? ` Lines: the ${order.length} with most at the end; band: the other ${rest.length}, lowest to highest.` : ""}`, stakes.height.length ? (place, width) => chart(place, width, { x: "height", y: "credits", end: stakes.height.at(-1) + 1, steps: true, series: credits, said: "Credits of validators by height" }) : none),
    card("The ledger's share of the hosts", "Of the core time that each host was busy after the warm-up, with its interval.", shares.length ? (place, width) => bars(place, width, shares, "The ledger's share of busy time") : none),
  ];
}

SUBJECTS.push({ name: "ledger", title: "Ledger", cards: ledgerCards, open: (run) => ({ siteStory: (site, time_s) => stakeStory(run.series.ledger, site, time_s) }) });
