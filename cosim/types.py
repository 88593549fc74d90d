"""Types that all of cosim uses: arrays, the codes stored in the trace, and the failures that end a task.

A code that people know by another word than its name has a `word`; see `word()`.
"""

from enum import IntEnum
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
AnyArray: TypeAlias = NDArray[Any]
N = TypeVar("N", bound=np.ndarray[Any, Any])

NOWHERE = -1
"""Site number of a vehicle without coverage, and of a phase that did not happen."""


class Tier(IntEnum):
    """Place where a task is executed."""

    LOCAL = 0
    """The vehicle itself."""
    EDGE = 1
    """The host of a site."""
    CLOUD = 2
    """The data centre."""
    NEIGHBOUR = 3
    """Another vehicle, over the sidelink."""


class Status(IntEnum):
    """Outcome of a task; each released task has exactly one."""

    COMPLETED = 0
    """The result was back at the vehicle by the deadline."""
    LATE = 1
    """The result was back, after the deadline."""
    NO_COVERAGE = 2
    """A radio transfer, or a result before its downlink, found no usable link for longer than `radio.outage_s`."""
    REJECTED = 3
    """A queue was full, or the site has no processor."""
    LEFT = 4
    """The vehicle left the map first."""
    EXPIRED = 5
    """The deadline passed and the scenario drops such tasks."""
    NO_ENERGY = 6
    """The vehicle's energy budget was spent."""
    HELPER_LOST = 7
    """The neighbour that executed the task left the map or the range."""
    IN_FLIGHT = 8
    """The run ended first."""
    NO_KEY = 9
    """A transfer's key did not come within the patience of the scenario, or by the task's deadline."""

    @property
    def word(self) -> str:
        """The word for the status in text; `left` alone would not say that it is the vehicle."""
        return "vehicle left" if self is Status.LEFT else _spelled(self)


class Phase(IntEnum):
    """Part of a task's life in which it ended."""

    DECISION = 0
    UPLINK = 1
    BACKHAUL = 2
    QUEUE = 3
    EXECUTION = 4
    RETURN = 5
    """Its result waited where it was for a cell of its vehicle, or crossed wires to it."""
    DOWNLINK = 6
    DONE = 7
    KEY = 8
    """It waited for a key, before its uplink or before its downlink."""


class Direction(IntEnum):
    """The medium of a transfer."""

    UPLINK = 0
    DOWNLINK = 1
    SIDELINK = 2
    WIRES = 3
    """Between sites and the cloud: a result before its downlink."""


class KeyState(IntEnum):
    """Outcome of the key requests of a task."""

    DRAWN = 0
    """Every transfer that began had its key."""
    DOWNGRADED = 1
    """At least one transfer went without a quantum key, as the scenario allows."""
    REFUSED = 2
    """It ended while it waited for a key."""


class LinkState(IntEnum):
    """State of a QKD link."""

    UP = 0
    ABORTED = 1
    """The error rate of a block was above the threshold; it starts again after a pause."""
    CUT = 2
    """The fibre is broken."""


class Work(IntEnum):
    """Computation that the ledger needs from a processor (S3 eq 18-20)."""

    MAKE = 0
    """Eq 18: the proposer makes a block."""
    WEIGH = 1
    """Eq 19: a validator computes the weight of its keys."""
    VERIFY = 2
    """Eq 20: a validator checks a proposed block."""


class VotePhase(IntEnum):
    """The two votes of a round."""

    PREVOTE = 0
    PRECOMMIT = 1


class Offence(IntEnum):
    """Misbehaviour that a validator can be accused of."""

    TWO_PROPOSALS = 0
    TWO_VOTES = 1
    INVALID_PROPOSAL = 2

    @property
    def word(self) -> str:
        """The word for the offence in text, a noun like the others."""
        return "an invalid proposal" if self is Offence.INVALID_PROPOSAL else _spelled(self)


def word(code: IntEnum) -> str:
    """Return the word for a code in text.

    >>> word(Status.NO_KEY), word(Status.LEFT)
    ('no key', 'vehicle left')
    """
    return str(getattr(code, "word", _spelled(code)))


def _spelled(code: IntEnum) -> str:
    return code.name.lower().replace("_", " ")


class Failure(Exception):  # noqa: N818 - an event in the life of a task, not a fault of the program
    """Ends a task before its result is back; thrown into its story by the part that it waits for."""

    status: Status


class VehicleGone(Failure):
    """The task's vehicle left the map."""

    status = Status.LEFT


def read_only(array: N) -> N:
    """Return a view through which nobody can write, of an array that nobody writes from now on.

    The array itself becomes read-only, and with it what it is a view of: else NumPy would let who holds the view make
    it writeable again.

        >>> seen = read_only(np.zeros(2))
        >>> seen.flags.writeable, seen.base.flags.writeable
        (False, False)
    """
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner.setflags(False)  # type: ignore[call-arg]  # by its name, `write` takes three times as long
        owner = owner.base
    if owner is not None:  # memory of another library, which NumPy lets anybody write who asks
        array = array.copy()
        array.setflags(write=False)
    view: N = array.view()
    return view
