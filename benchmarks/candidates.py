"""What senders beyond a vehicle's candidate sites are worth as interference: the table of docs/scenarios.md.

`quickstart` runs with its own number of candidates; at each tick the same positions and emissions are surveyed with
other numbers. Printed are means over the links to the serving sites: interference over that with all sites, and the
uplink's spectral efficiency.
"""

import argparse
from typing import Any
from unittest.mock import patch

import numpy as np

NUMBERS = (2, 4, 8, 11)


def main() -> None:
    """Print the table."""
    from cosim_agents.registry import make_policy

    from cosim.kernel.rng import stream
    from cosim.radio.survey import Survey
    from cosim.scenario.bands import uplink_band
    from cosim.scenario.load import load
    from cosim.simulation import Simulation

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0)
    seconds = parser.parse_args().seconds
    plan = load("quickstart", [f"duration_s={seconds}", "statistics.warmup_s=0"]).scenario
    curve = uplink_band(plan.radio).curve
    surveys: dict[int, Survey] = {}
    seen: dict[int, list[Any]] = {number: [] for number in NUMBERS}
    update = Survey.update

    def also(survey: Survey, *conditions: Any) -> Any:
        for number in NUMBERS:
            if number not in surveys:
                radio = plan.radio.model_copy(update={"candidates": number})
                surveys[number] = Survey(radio, channel.site_xy_m, plan.seed)
            budget = surveys[number]._budget
            air = update(surveys[number], *conditions)
            row = (air.serving >= 0).nonzero()[0]
            slot = air.slot[row]
            up, clean = air.snr_per_w[row, slot], air.clean_snr_per_w[row, slot]
            down = plan.radio.site_power_w * clean * budget.up_noise_w / budget.down_noise_w / air.down_snr[row, slot]
            told = (
                clean / up - 1.0,
                down - 1.0,
                *(curve.efficiencies(plan.radio.vehicle_power_w * snr) for snr in (up, clean)),
            )
            seen[number].append(np.array(told))
        return update(survey, *conditions)

    simulation = Simulation(plan)
    channel = simulation._run.offloading._channel
    with patch.object(Survey, "update", also):
        simulation.run(make_policy(plan.policy.name, {}, stream(plan.seed, "policy")))
    simulation.close()
    means = {number: np.concatenate(seen[number], axis=1).mean(axis=1) for number in NUMBERS}
    whole = means[NUMBERS[-1]]
    print(f"{'candidates':>10} {'interference up':>15} {'down':>5} {'bit/s/Hz':>8}")
    for number, mean in means.items():
        print(f"{number:10} {mean[0] / whole[0]:15.0%} {mean[1] / whole[1]:5.0%} {mean[2]:8.2f}")
    print(f"without interference {whole[3]:.2f} bit/s/Hz")


if __name__ == "__main__":
    main()
