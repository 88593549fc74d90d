// A line for each zone; `card` and `chart` are the page's own.
const COLOURS = ["edge", "local", "cloud", "late", "vehicle"];
SUBJECTS.push({ name: "zones", title: "Zones", cards: (run) => {
  const { zones } = run.series.zones, end = run.header.complete_to_s || 1;
  const series = zones.map((zone, i) => ({ name: zone.name, colour: COLOURS[i % COLOURS.length], xs: zone.counted_s, ys: zone.vehicles }));
  const said = zones.map((zone) => `${zone.name}: at most ${zone.vehicles.reduce((most, one) => Math.max(most, one), 0)} vehicles`).join("; ");
  return [card("Vehicles in zones", said, (place, width) => chart(place, width, { series, x: "time (s)", y: "vehicles", end, warmup: run.header.warmup_s, said }))];
} });
