"""The proposers of heights and rounds, which all validators work out from the same state of the chain."""

from cosim.ledger.poqks import founded, proposer
from cosim.ledger.run.chain_state import ChainState
from cosim.scenario.ledger import Proposing


class Elections:
    """Elects proposers among those who vote, once for a round: hundreds of validators ask for the same.

    Args:
        rule: the scenario's `ledger.proposer`.
    """

    def __init__(self, rule: Proposing) -> None:
        self._rule = rule
        self._height = -1
        self._elected: dict[tuple[bytes, int], int] = {}

    def elected(self, head: ChainState, height: int, round_: int) -> int:
        """Return the proposer of a round, whom no policy has asked for.

        Args:
            head: state of the chain that the height follows.
            height: height of the block.
            round_: round of this height, from 0.
        """
        if height > self._height:
            self._height = height
            self._elected.clear()
        place = (head.digest, round_)
        found = self._elected.get(place)
        if found is None:
            found = proposer(self._rule, founded(head.votes, 0), head.rotation, head.digest, height, round_)
            self._elected[place] = found
        return found
