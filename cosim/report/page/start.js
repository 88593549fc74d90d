// What tests ask and do.
window.cosim = { loaded: false, data: DATA, state: () => ({ loaded: window.cosim.loaded, ...playback?.state() }), seek: (time_s) => playback.seek(time_s),
  select: (kind, number) => playback.select(kind, number), place: (vehicle, time_s) => playback.places.at(vehicle, time_s), pixel: (vehicle) => playback.now.get(vehicle),
  sitePixel: (site) => playback.spot(site) };
document.body.append(h("div", { id: "tip", role: "status", hidden: true }));
let pending = 0;
addEventListener("resize", () => { cancelAnimationFrame(pending); pending = requestAnimationFrame(redraw); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
start(0);
