"""A scenario text that uses most sections, for tests."""

RICH = """\
# every kind of value a scenario can hold
name: rich
description: >
  a text of
  two lines
map: sumo:a10kw
duration_s: 120
seed: 7
policy: {name: greedy-latency, options: {}}
statistics: {warmup_s: 10, batches: 10, confidence: 0.9}
mobility: {kind: libsumo, step_s: 0.5, begin_s: 3600, max_vehicles: 500}
sites:
  kind: listed
  sites:
    - {name: north, x_m: 0, y_m: 500.5}
    - {name: south, x_m: 0, y_m: -500, cores: 0}
radio:
  preset: lte_10mhz
  bandwidth_hz: 20e6
  path_loss: {kind: umi, frequency_ghz: 3.5, los: always}
  access: {kind: noma, sic: false}
  handover: {hysteresis_db: 2, transfer: restart}
  sidelink: {range_m: 200, path_loss: {kind: v2v_highway}}
  max_efficiency_bps_hz: null
backhaul: {kind: mesh, neighbours: 2}
cloud: &cloud {cores: 64, latency_s: 0.03}
compute:
  edge: {cores: 4, discipline: priority, queue_limit: 50}
  vehicle: {core_hz: {kind: uniform, low: 1e9, high: 2e9}}
energy: {vehicle_budget_j: 1e4}
tasks:
  arrivals:
    kind: poisson
    rate_per_s: 0.5
    type_factor: {bus: 2, truck: 0}
    profile: [{time_s: 0, factor: 1}, {time_s: 60, factor: 2}]
  classes:
    - name: vision
      input_bit: {kind: lognormal, mean: 1e6, cv: 0.5}
      cycles: {kind: choice, values: [4e8, 6e8], weights: [1, 3]}
      semantic: {efficiency: {kind: uniform, low: 0.5, high: 1}}
    - {name: control, weight: 2, deadline_s: 0.1, vehicle_types: [bus]}
  on_deadline: drop
decisions: {kind: periodic, period_s: 0.1, knobs: [target, share]}
trace: {positions: true}
"""
