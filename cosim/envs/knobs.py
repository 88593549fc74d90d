"""Decoding of a learner's numbers to the knobs of an action: paper S1's action [B, p, alpha] (eq 21) and others."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cosim.decision import Action, Observation
from cosim.envs.columns import option_mask, option_names
from cosim.envs.traffic import sites_of
from cosim.errors import RunError
from cosim.keys.layout import key_layout
from cosim.scenario.schema import Scenario
from cosim.types import BoolArray, FloatArray, IntArray

LEVELS: Final = (0.1, 0.4, 1.0)
"""Transmit powers that a discrete learner may choose, as fractions of the highest."""
DETECTOR_LEVELS: Final = (0.4, 0.6, 0.8, 1.0)
"""Detector efficiencies that a discrete learner may choose."""
LEAST: Final = 0.2
"""Fraction of the highest share or power that a value of -1 means: less would stall a task, not save energy."""
_LEAST_DETECTOR: Final = 1e-6
_MOST: Final = np.finfo(float).max
"""Bound of finite scores: its negative is still above the -infinity of an option that may not be chosen."""

Values = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Knobs:
    """The knobs that a scenario leaves to the agent, as A values for each task and some for the network, in [-1, 1]."""

    options: int
    """M, the number of options: columns of the observation."""
    names: tuple[str, ...]
    """Names of the A values of a task, such as "target.edge1", "share", "power", "cpu_share"."""
    levels: tuple[float, ...]
    """Powers of a discrete choice, as fractions of the highest; empty where the power is not a knob."""
    links: int = 0
    """Number of QKD links, if the detectors are a knob."""
    validators: int = 0
    """Number of sites, if the proposer is a knob."""

    @classmethod
    def of(cls, scenario: Scenario, folder: Path = Path()) -> "Knobs":
        """Return the knobs of a scenario's `decisions.knobs`.

        Raises:
            InputError: the map or its sites are not there.

        >>> from cosim import load
        >>> loaded = load("per_task")
        >>> knobs = Knobs.of(loaded.scenario, loaded.folder)
        >>> len(knobs.names) >= knobs.options
        True
        """
        given, options = scenario.decisions.knobs, option_names(scenario, folder)
        names = [f"target.{option}" for option in options] * ("target" in given)
        names += [name for name in ("share", "power", "cpu_share") if name in given]
        links = validators = 0
        if "detector" in given and scenario.keys is not None:
            links = len(key_layout(scenario.keys.topology, sites_of(scenario, folder)).links)
        if "proposer" in given and scenario.ledger is not None:
            validators = len(sites_of(scenario, folder))
        return cls(len(options), tuple(names), LEVELS if "power" in given else (), links, validators)

    @property
    def network_size(self) -> int:
        """Number of values for the network as a whole: one for each detector, then a score for each site."""
        return self.links + self.validators

    @property
    def network_knobs(self) -> int:
        """K, the number of knobs of the network as a whole: the detector of each link, then the proposer."""
        return self.links + (self.validators > 0)

    @property
    def network_choices(self) -> int:
        """Number of discrete choices of each of them: levels of a detector, or sites, whichever are more."""
        return max(len(DETECTOR_LEVELS) if self.links else 0, self.validators)

    @property
    def choices(self) -> int:
        """Number of discrete choices of a task: options times powers; bandwidth and processor shares stay 1."""
        return (self.options if self.targets else 1) * max(1, len(self.levels))

    @property
    def targets(self) -> bool:
        """Whether the option is a knob."""
        return any(name.startswith("target.") for name in self.names)

    def decode(
        self,
        values: Values,
        observation: Observation,
        network: Values | None = None,
        rows: slice = slice(None),
    ) -> Action:
        """Return the action for a learner's values.

        target: the feasible option with the highest score, the first of equals. share, power, cpu_share: linear from
        [-1, 1] to [LEAST max, max]. Where the target is not a knob, the option of least expected latency, as the
        simulation takes it. Values beyond [-1, 1] are clipped.

        Args:
            values: (n, A).
            observation: T tasks.
            network: (network_size,), if the network has knobs; without it they stay as they are.
            rows: the n tasks that the values are for; all by default.

        Raises:
            RunError: a value is NaN.
        """
        values = _numbers(values)
        option = self._expected(observation, rows)
        if self.targets:
            option = np.where(option_mask(observation)[rows], values[:, : self.options], -np.inf).argmax(axis=1)
        turned: dict[str, Any] = {
            name: LEAST + (1.0 - LEAST) * (np.minimum(np.maximum(values[:, place], -1.0), 1.0) + 1.0) / 2.0
            for place, name in enumerate(self.names)
            if not name.startswith("target.")
        }
        if "power" in turned:
            turned["power_w"] = turned.pop("power") * observation.max_power_w
        given = {} if network is None else self.network_of_values(network, observation)
        return Action(option, **turned, **given)

    def decode_choice(self, choice: IntArray, observation: Observation, rows: slice = slice(None)) -> Action:
        """Return the action for discrete choices: choice = option len(levels) + level.

        Args:
            choice: (n,) from 0 to choices - 1; infeasible ones, see `choice_mask`, are carried out as they are.
            observation: T tasks.
            rows: the n tasks that the choices are for; all by default.
        """
        option, level = np.divmod(np.asarray(choice, np.int64), max(1, len(self.levels)))
        if not self.targets:
            option = self._expected(observation, rows)
        power_w = np.array(self.levels)[level] * observation.max_power_w if self.levels else None
        return Action(option, power_w=power_w)

    def choice_mask(self, observation: Observation) -> BoolArray:
        """Return which discrete choices are feasible, (T, choices)."""
        mask = option_mask(observation) if self.targets else np.ones((len(observation), 1), np.bool_)
        return np.repeat(mask, max(1, len(self.levels)), axis=1)

    def _expected(self, observation: Observation, rows: slice) -> IntArray:
        if self.targets:
            return np.empty(0, np.int64)
        fastest: IntArray = observation.expected_s[rows].argmin(axis=1)
        return fastest

    # --- the network as a whole ------------------------------------------------------------------------------------

    def network_of_values(self, values: Values, observation: Observation) -> dict[str, Any]:
        """Return the fields of an action that values for the network set, (network_size,).

        detector: linear from [-1, 1] to (0, 1]. proposer: the site with stake of the highest score.

        Raises:
            RunError: a value is NaN.
        """
        values = _numbers(values)
        turned: dict[str, Any] = {}
        if self.links:
            turned["detector"] = np.clip((values[: self.links] + 1.0) / 2.0, _LEAST_DETECTOR, 1.0)
        if self.validators and observation.stake is not None:
            scores: FloatArray = np.where(observation.stake > 0, values[self.links :], -np.inf)
            turned["proposer"] = int(scores.argmax())
        return turned

    def network_of_choices(self, choice: IntArray) -> dict[str, Any]:
        """Return the fields of an action that discrete choices for the network set, (network_knobs,).

        A choice is one of DETECTOR_LEVELS for a detector, a site for the proposer.
        """
        turned: dict[str, Any] = {}
        if self.links:
            turned["detector"] = np.array(DETECTOR_LEVELS)[choice[: self.links]]
        if self.validators:
            turned["proposer"] = int(choice[-1])
        return turned

    def network_mask(self, observation: Observation) -> BoolArray:
        """Return which discrete choices each knob of the network has, (network_knobs, network_choices).

        A site without stake may not be chosen, unless none has any.
        """
        mask = np.zeros((self.network_knobs, self.network_choices), np.bool_)
        mask[: self.links, : len(DETECTOR_LEVELS)] = True
        if self.validators:
            voting = np.ones(self.validators) if observation.stake is None else observation.stake
            mask[-1, : self.validators] = voting > 0 if voting.any() else True
        return mask


def _numbers(values: Values) -> FloatArray:
    found = np.asarray(values, float)
    if np.count_nonzero(np.isnan(found)):
        raise RunError("an action holds NaN: the agent has diverged; lower its learning rate")
    finite: FloatArray = np.minimum(np.maximum(found, -_MOST), _MOST)
    return finite
