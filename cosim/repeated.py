"""Decisions that were recorded, made again: what a policy decided then, as the action for the same observation now."""

import numpy as np

from cosim.decision import Action, Observation
from cosim.trace.facts.keys import DetectorTurned
from cosim.trace.facts.ledger import ProposerAsked
from cosim.trace.facts.run import TaskDecided
from cosim.trace.store.decisions import DecisionRows
from cosim.trace.store.past import DifferenceError
from cosim.types import AnyArray, FloatArray, IntArray


class RepeatedDecisions:
    """Gives the recorded action of each epoch before a time, without the policy that made it.

    Args:
        recorded: the decisions.
        until_s: time from which on nothing is repeated.
        told: what cannot be done if the epochs are others than then, for the line of an error.
    """

    def __init__(self, recorded: DecisionRows, until_s: float, told: str) -> None:
        self._recorded = recorded
        self._until_s = until_s
        self._told = told

    def __call__(self, observation: Observation) -> Action | None:
        """Return what was decided then; None from the time on from which nothing is repeated.

        Raises:
            DifferenceError: the epoch has other tasks or options than then.
        """
        now_s = observation.time_s
        if now_s >= self._until_s:
            return None
        rows = self._recorded.take(TaskDecided, len(observation))
        same = len(rows) == len(observation) and bool((rows["time_s"] == now_s).all())
        if not same or (rows["task"] != observation.task).any():
            raise self._error(now_s, "other tasks wait for a decision")
        detector = self._recorded.take_at(DetectorTurned, now_s)["detector"]
        proposer = self._recorded.take_at(ProposerAsked, now_s)["site"]
        return Action(
            option=self._options(rows, observation),
            share=_turned(rows["share"], 1.0),
            power_w=_turned(rows["power_w"], observation.power_w),
            cpu_share=_turned(rows["cpu_share"], 1.0),
            detector=detector.copy() if len(detector) else None,
            proposer=int(proposer[-1]) if len(proposer) else None,
        )

    def _options(self, rows: AnyArray, observation: Observation) -> IntArray:
        """Return the column of each task that leads where it went."""
        there = (observation.tier == rows["tier"][:, None]) & (observation.target == rows["target"][:, None])
        if not there.any(axis=1).all():
            raise self._error(observation.time_s, "an option that was taken is not offered")
        # Of options that lead to one place, that with the expectation which was recorded.
        expected = there & (observation.expected_s == rows["expected_s"][:, None])
        options: IntArray = np.where(expected.any(axis=1), expected.argmax(axis=1), there.argmax(axis=1))
        return options

    def _error(self, now_s: float, what: str) -> DifferenceError:
        return DifferenceError(
            f"{self._told}: it does not come out as it was recorded: at t={now_s:g} s {what}; "
            "what shapes it has changed since: run the scenario again"
        )


def _turned(values: AnyArray, default: float | FloatArray) -> FloatArray | None:
    """Return the values of a knob, None where it was left alone."""
    return None if (values == default).all() else values.copy()
