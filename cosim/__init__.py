"""Discrete-event co-simulation of vehicular edge networks on SUMO traffic.

The names that scripts and notebooks need are here; each is imported when it is first used:

    >>> import cosim
    >>> run = cosim.Simulation(cosim.load("per_task", ["duration_s=2", "statistics.warmup_s=0"]).scenario)
    >>> epoch = run.advance()
    >>> run.decide(cosim.Action(option=epoch.observation.expected_s.argmin(axis=1)))
    >>> run.close()
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from cosim.assembly import PartContext
    from cosim.audit.verify import verify
    from cosim.decision import Action, DecisionEpoch, Observation, Policy
    from cosim.envs.parallel import OffloadingParallelEnv
    from cosim.envs.single import OffloadingEnv
    from cosim.errors import InputError, RunError
    from cosim.mobility.connect import placed_sites
    from cosim.part import Part
    from cosim.runner import RunResult, simulate
    from cosim.scenario.load import Loaded, bundled_scenarios, load
    from cosim.scenario.schema import Scenario
    from cosim.simulation import Simulation
    from cosim.subjects import Subject
    from cosim.trace.metrics.tasks import kpis
    from cosim.trace.store.reader import Trace

__version__ = "0.1.0"
_HOMES: Final = {
    "Action": "cosim.decision",
    "DecisionEpoch": "cosim.decision",
    "InputError": "cosim.errors",
    "Loaded": "cosim.scenario.load",
    "Observation": "cosim.decision",
    "OffloadingEnv": "cosim.envs.single",
    "OffloadingParallelEnv": "cosim.envs.parallel",
    "Part": "cosim.part",
    "PartContext": "cosim.assembly",
    "Policy": "cosim.decision",
    "RunError": "cosim.errors",
    "RunResult": "cosim.runner",
    "Scenario": "cosim.scenario.schema",
    "Simulation": "cosim.simulation",
    "Subject": "cosim.subjects",
    "Trace": "cosim.trace.store.reader",
    "bundled_scenarios": "cosim.scenario.load",
    "kpis": "cosim.trace.metrics.tasks",
    "load": "cosim.scenario.load",
    "placed_sites": "cosim.mobility.connect",
    "simulate": "cosim.runner",
    "verify": "cosim.audit.verify",
}
"""Module of each public name."""

__all__ = [
    "Action",
    "DecisionEpoch",
    "InputError",
    "Loaded",
    "Observation",
    "OffloadingEnv",
    "OffloadingParallelEnv",
    "Part",
    "PartContext",
    "Policy",
    "RunError",
    "RunResult",
    "Scenario",
    "Simulation",
    "Subject",
    "Trace",
    "__version__",
    "bundled_scenarios",
    "kpis",
    "load",
    "placed_sites",
    "simulate",
    "verify",
]


if not TYPE_CHECKING:  # where it would hide misspelt names

    def __getattr__(name: str) -> Any:
        """Import a public name when it is first used."""
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module 'cosim' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(home), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
