"""The ledger of a scenario (paper S3, eq 18-21 and Algorithm 1): blocks, validators, credits, and misbehaviour."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from cosim.scenario.section import Name, NonNegative, Positive, Real, Section, Whole

MOST_CREDITS = 2**40


class BlockOptions(Section):
    """When a block is made and how large it is."""

    interval_s: Positive = Field(
        10.0, ge=0.01, description="S3 Table II: 10, 20 or 30 s, there called generation time."
    )
    capacity_byte: Whole = Field(
        2048, ge=512, le=2**24, description="s^b of S3 Table II; a block is made early when its batches fill it."
    )
    fixed: bool = Field(False, description="Blocks are padded to capacity_byte (RAFBZ-ledger).")
    batch_records: Whole = Field(
        4096,
        ge=1,
        le=2**20,
        description="A site seals a batch at each interval, and as soon as it has as many records.",
    )


class LedgerCost(Section):
    """CPU cycles of eq 18-20, paid at the validators' own hosts."""

    density_cycles_per_bit: NonNegative = Field(
        737.5, description="rho^b of eq 18, S3 Table II; eq 18: rho^b times the size of the block."
    )
    cycles_per_credit: NonNegative = Field(
        10.0, description="c^q of eq 19, once a height for the validator's own credits; not given in the paper."
    )
    cycles_per_check: NonNegative | None = Field(
        None,
        description="Delta t_v of eq 20 in cycles, not given in the paper; null: one check of the signature that is chosen.",
    )
    checked_bit: Positive = Field(2048.0, description="Delta s_v of eq 20: size of one transaction; 2 KB hold about 8.")


class Timeouts(Section):
    """Timeouts of a round; each grows by `growth_s` from round to round."""

    propose_s: Positive | None = Field(
        None,
        description="Wait for the proposal, in round 0; null: 1 s, or twice vote_s and the making of a full block if that is longer.",
    )
    vote_s: Positive | None = Field(
        None,
        description="Wait for further votes, prevotes and precommits alike, in round 0; after as long without a step a validator says its messages again; null: 0.5 s, or four times the longest way of a message between validators if that is longer.",
    )
    growth_s: Positive = Field(0.5, description="Added to each for every round that failed.")


class Credits(Section):
    """The integer quantum-key credits of PoQKS; S3 gives no numbers."""

    initial: Whole = Field(1000, ge=1, le=MOST_CREDITS, description="Of each validator as it joins.")
    treasury: Whole = Field(100_000, ge=0, le=MOST_CREDITS, description="What the treasury has at the start.")
    per_offload: Whole = Field(
        1, ge=0, le=1_000_000, description="Minted for each offload that a validator's site completed."
    )
    producer: Whole = Field(
        100,
        ge=0,
        le=MOST_CREDITS,
        description="alpha_1: from the treasury to a valid block's proposer, times its weight.",
    )
    voters: Whole = Field(
        10,
        ge=0,
        le=MOST_CREDITS,
        description="alpha_2 = beta: from the proposer to the other voters, times its weight.",
    )
    penalty: Whole = Field(50, ge=0, le=MOST_CREDITS, description="alpha_3: likewise for an invalid block.")
    slash_percent: Whole = Field(
        50, ge=0, le=100, description="Of its credits a validator loses for saying two things at once."
    )


class Misbehaviour(Section):
    """A validator that does not follow the protocol for a time, from start to end exactly, also within a height."""

    kind: Literal["silent", "slow", "restart", "equivocate", "double_vote", "invalid"] = Field(
        description="silent: sends nothing; slow: sends late; restart: neither hears nor sends, and comes back with what it had signed, locked and decided; equivocate: proposes two blocks; double_vote: votes for everything; invalid: proposes blocks that do not check."
    )
    validator: Name = Field(description="The site's name.")
    start_s: NonNegative = Field(0.0, description="From then on.")
    end_s: Positive = Field(1e7, description="Until then; what was not heard is said again afterwards.")
    delay_s: Positive = Field(1.0, description="slow: how late.")


class Partition(Section):
    """A network partition: messages of validators on one side to the other are held back until it heals."""

    start_s: NonNegative = Field(description="From then on.")
    end_s: Positive = Field(description="Until then.")
    side: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(
        description="Sites of one side; the rest is the other."
    )


class Membership(Section):
    """A validator joins or leaves at a height."""

    height: Whole = Field(ge=2, description="First height at which it holds.")
    validator: Name = Field(description="The site's name.")
    action: Literal["join", "leave"] = Field(description="Whether it joins or leaves.")


Algorithm: TypeAlias = Literal["ed25519", "ml_dsa_44", "ml_dsa_65"]
Dissemination: TypeAlias = Literal["direct", "tree"]
Proposing: TypeAlias = Literal["weighted_round_robin", "sortition", "max_stake"]


class Ledger(Section):
    """The chain on which the sites record what they did, and the vote on its blocks."""

    validators: tuple[Name, ...] | None = Field(
        None, description="Sites that vote from the first height; null: all that have a host."
    )
    committee: Whole | None = Field(
        None,
        ge=1,
        le=65_536,
        description="Seats at each height, drawn by stake without replacement from the chain; only those who sit propose and vote; null: all validators do.",
    )
    proposer: Proposing = Field(
        "weighted_round_robin",
        description="max_stake is the paper's rule: it stalls when the richest validator is faulty.",
    )
    signature: Algorithm = Field("ml_dsa_44", description="Its sizes and cycles are charged.")
    sign: bool = Field(
        False, description="Also compute and check every signature; it changes nothing in the trace and takes time."
    )
    block: BlockOptions = Field(default_factory=BlockOptions)
    cost: LedgerCost = Field(default_factory=LedgerCost)
    timeouts: Timeouts = Field(default_factory=Timeouts)
    credits: Credits = Field(default_factory=Credits)
    faults: tuple[Misbehaviour, ...] = Field(
        (), description="Validators that do not follow the protocol, each with its time."
    )
    partitions: tuple[Partition, ...] = Field((), description="Times at which validators are parted in two.")
    loss: Real = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the messages of the vote that are lost on the wires, each drawn on its own; batches arrive.",
    )
    loss_start_s: NonNegative = Field(0.0, description="Messages that leave from then on can be lost.")
    loss_end_s: Positive = Field(1e7, description="Messages that leave from then on are not lost any more.")
    dissemination: Dissemination = Field(
        "direct",
        description="direct: what is for all validators goes to each as a transfer of its own; tree: over each wire of the least-latency routes once, votes that wait for a wire as one bundle.",
    )
    membership: tuple[Membership, ...] = Field((), description="Validators that join or leave.")

    @model_validator(mode="after")
    def _ordered(self) -> "Ledger":
        spans: tuple[Misbehaviour | Partition, ...] = (*self.faults, *self.partitions)
        for span in spans:
            if span.end_s <= span.start_s:
                raise ValueError(
                    f"something ends at {span.end_s:g} s, before it starts at {span.start_s:g} s; swap them"
                )
        if self.loss_end_s <= self.loss_start_s:
            raise ValueError(
                f"loss_end_s={self.loss_end_s:g} is not after loss_start_s={self.loss_start_s:g}; swap them"
            )
        if self.validators is not None and (not self.validators or len(set(self.validators)) != len(self.validators)):
            raise ValueError("validators must be different sites, at least one; correct the list")
        return self
