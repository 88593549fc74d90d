"""The reward of decisions: the negative cost of paper S1 (eq 22), given at once or when the tasks have ended."""

from typing import Literal

from pydantic import Field

from cosim.scenario.section import NonNegative, Positive, Real, Section


class Reward(Section):
    """r = -scale (w1 L + (1 - w1) E) - penalties (S1 eq 22); w1 is decisions.latency_weight."""

    kind: Literal["analytic", "realised"] = Field(
        "analytic",
        description="analytic: eq 12-18 on the true state at the decision, told at once; realised: what the task's life took and spent, told when it has ended.",
    )
    scale: Positive = Field(1.0, description="Times the cost, so that rewards are of order 1; S1's costs need 1e3.")
    discount: Real = Field(0.9, ge=0, le=1, description="gamma of the decision process; S1 gives no value.")
    late_penalty: NonNegative = Field(
        1.0, description="For a task after its deadline (U of S1 eq 22 for 19b; not given in the paper)."
    )
    loss_penalty: NonNegative = Field(
        2.0, description="For a task that brings no result (not in S1, where all succeed; more than for a late one)."
    )
    energy_limit_j: Positive | None = Field(
        None, description="E_max of S1 eq 19c, read for each task; not given in the paper; null: none."
    )
    energy_penalty: NonNegative = Field(
        1.0, description="For a task that spends more than energy_limit_j (U for 19c; not given in the paper)."
    )
