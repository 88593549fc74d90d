"""The time within which the vote goes on once it can be heard: the bound that schedules are compared with."""

from cosim.ledger.messages import RoundStep
from cosim.ledger.participant import StepTimeouts


def round_s(timeouts: StepTimeouts, round_: int) -> float:
    """Return the sum of the time-outs of a round: of its proposal, its prevotes and its precommits."""
    return sum(timeouts.delay_s(step, round_) for step in (RoundStep.PROPOSE, RoundStep.PREVOTE, RoundStep.PRECOMMIT))


def decision_bound_s(timeouts: StepTimeouts, open_round: int, unheard: int, delay_s: float) -> float:
    """Return the time from T on within which a block is decided.

    From T on more than two thirds of the stake are honest and connected: none of them is silent, stopped, delayed or
    parted from the others, and no message between them is lost. The block is decided by all of them after the time-outs
    of the round that is open at T and of the next f + 2 rounds, and 3 message delays: the turns of f proposers may
    fail, one round more by a lock that its proposer has not heard of, and one succeeds. T is no earlier than the
    beginning of the height.

    It holds for proposers in turn (`weighted_round_robin`) and messages that take at most a quarter of a vote's
    time-out, the work of hosts on them included. The time for saying again what was lost (a vote's time-out) and for
    going on to the next step (a message delay or two a round) is within it, because the last round ends before its
    time-outs. Left out: liars who know all time-outs to the message, and could cost one round more each by a lock late
    in their rounds; and stakes so unequal that f validators have f + 1 turns in a row, if such a lock comes on top.

    >>> timeouts = StepTimeouts(propose_s=1.0, prevote_s=0.5, precommit_s=0.5, growth_s=0.5)
    >>> decision_bound_s(timeouts, open_round=0, unheard=0, delay_s=0.0)  # 2 s, 3.5 s and 5 s
    10.5

    Args:
        timeouts: of the steps of a round.
        open_round: latest round in which one of the connected validators is at T.
        unheard: f, number of validators with stake that are faulty or not connected.
        delay_s: longest delay of a message between connected validators.
    """
    return sum(round_s(timeouts, open_round + more) for more in range(unheard + 3)) + 3.0 * delay_s
