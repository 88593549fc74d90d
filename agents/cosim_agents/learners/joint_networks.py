"""Networks of several agents over sets of rows (Zaheer et al. 2017): actors, and critics that see all agents' rows.

With the rows of all agents pooled, and an agent's return a sum over its rows (Sunehag et al. 2018):

    e_i = relu(W (x_i, a_i) + b),   p_j = (1 / n) sum of e_i over the rows of site j,   p = (p_1, ..., p_N)
    Q_j(s, a) = sum over the rows i of site j of f(e_i, sum of all p_j) + g_j(p)

n, the mean number of rows of a site, only keeps numbers near one. f and g are shared by the critics: as many separate
critics as there are agents, at the cost of one.
"""

from typing import Final

import torch
from torch import Tensor

from cosim_agents.networks import NetSpec, make_network

_SHARPNESS: Final = 4.0


class Actors(torch.nn.Module):
    """The actors: one network for each agent, or one for all."""

    def __init__(self, spec: NetSpec, inputs: int, outputs: int, networks: int, generator: torch.Generator) -> None:
        super().__init__()
        self.outputs = outputs
        self.networks = torch.nn.ModuleList(make_network(spec, inputs, outputs, generator) for _ in range(networks))

    def forward(self, seen: Tensor) -> Tensor:
        """Return the values of rows in [-1, 1], (n, A), from their features and agent, (n, k + 1)."""
        x, agent = seen[:, :-1], seen[:, -1]
        if len(self.networks) == 1:
            return torch.tanh(self.networks[0](x))
        values = x.new_zeros(len(x), self.outputs)
        for number, network in enumerate(self.networks):
            mine = (agent == number).nonzero()[:, 0]
            if len(mine):
                values = values.index_copy(0, mine, torch.tanh(network(x[mine])))
        return values


def straight_through(values: Tensor, targets: int) -> Tensor:
    """Return values with one-hot targets: 1 for the target of the highest score, 0 for the others; the rest unchanged.

    The gradient is that of softmax(4 score), straight through, as for the discrete actions of Lowe et al. 2017 but
    without their Gumbel noise: exploration is elsewhere.

    Args:
        values: (n, A).
        targets: number of target scores, the first of the values.
    """
    if not targets:
        return values
    soft = torch.softmax(_SHARPNESS * values[:, :targets], dim=1)
    hard = torch.nn.functional.one_hot(soft.argmax(dim=1), targets)
    return torch.cat([hard + soft - soft.detach(), values[:, targets:]], dim=1)


class Critics(torch.nn.Module):
    """The critics: Q_j of all agents from the rows of all agents."""

    def __init__(
        self,
        spec: NetSpec,
        inputs: int,
        outputs: int,
        targets: int,
        agents: int,
        width: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.agents = agents
        self.targets = targets
        self.embed = make_network(NetSpec(kind="mlp", hidden=()), inputs + outputs, width, generator)
        self.value = make_network(spec, 2 * width, 1, generator)
        self.rest = make_network(NetSpec(kind="mlp", hidden=()), agents * width, agents, generator)
        for name in ("typical_rows", "middle", "spread"):
            self.register_buffer(name, torch.zeros(()))

    typical_rows: Tensor
    """n of the pooling; 0 until the first update, like the next two."""
    middle: Tensor
    """m, the median of rewards (`cosim_agents.learners.maddpg`), which all critics share."""
    spread: Tensor
    """d, the interquartile range of rewards."""

    def forward(self, seen: Tensor, values: Tensor, of: Tensor, count: int) -> Tensor:
        """Return the Q values of all agents in each epoch, (count, N).

        Args:
            seen: (n, k + 1) features and agent of the rows of all epochs.
            values: (n, A) their values.
            of: (n,) epoch of each row, from 0.
            count: number of epochs.
        """
        rows = torch.relu(self.embed(torch.cat([seen[:, :-1], straight_through(values, self.targets)], dim=1)))
        place = of * self.agents + seen[:, -1].long()
        pooled = rows.new_zeros(count * self.agents, rows.shape[1]).index_add(0, place, rows) / self.typical_rows
        crowd = pooled.view(count, self.agents, -1).sum(dim=1)
        each = self.value(torch.cat([rows, crowd[of]], dim=1))[:, 0]
        summed = each.new_zeros(count * self.agents).index_add(0, place, each)
        q: Tensor = summed.view(count, -1) + self.rest(pooled.view(count, -1))
        return q
