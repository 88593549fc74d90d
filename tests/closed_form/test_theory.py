"""The closed forms themselves, against numbers from books and identities."""

import pytest

from cosim.validation.theory import (
    blocking,
    erlang_c,
    mg1_wait_s,
    mmc_wait_s,
    priority_waits_s,
    sharing_sojourn_s,
)


@pytest.mark.parametrize(
    ("servers", "offered", "probability"), [(1, 0.7, 0.7), (2, 1.4, 0.98 / 1.7), (2, 1.0, 1 / 3), (3, 2.0, 4 / 9)]
)
def test_erlang_c(servers: int, offered: float, probability: float) -> None:
    """Erlang C gives the textbook values: rho for one server, 2 rho^2 / (1 + rho) for two, 4/9 for a = 2 on three."""
    assert erlang_c(servers, offered) == pytest.approx(probability, rel=1e-12)


def test_waits_agree_where_models_meet() -> None:
    """M/M/c with one server is M/G/1 with cv 1, rho S / (1 - rho); constant service halves it; sharing adds S to it."""
    wait_s = mmc_wait_s(0.35, 2.0, 1)
    assert wait_s == pytest.approx(0.7 * 2.0 / 0.3, rel=1e-12)
    assert mg1_wait_s(0.35, 2.0, 1.0) == pytest.approx(wait_s, rel=1e-12)
    assert mg1_wait_s(0.35, 2.0, 0.0) == pytest.approx(wait_s / 2.0, rel=1e-12)
    assert sharing_sojourn_s(0.35, 2.0) == pytest.approx(wait_s + 2.0, rel=1e-12)


def test_priorities_conserve_work() -> None:
    """Priorities only shift waits: the sum of rho_k W_k is rho W_0 / (1 - rho) (Kleinrock's conservation law)."""
    rates_hz, services_s = (0.2, 0.1, 0.3), (1.0, 2.0, 1.5)
    waits_s = priority_waits_s(rates_hz, services_s)
    loads = [rate_hz * service_s for rate_hz, service_s in zip(rates_hz, services_s, strict=True)]
    residual_s = 0.2 * 1.0 + 0.1 * 4.0 + 0.3 * 2.25
    assert waits_s[0] < waits_s[1] < waits_s[2]
    total = sum(load * wait_s for load, wait_s in zip(loads, waits_s, strict=True))
    assert total == pytest.approx(sum(loads) * residual_s / (1.0 - sum(loads)), rel=1e-12)


def test_blocking() -> None:
    """All K + 1 states are alike at rho 1; one place at any load is Erlang's B, rho / (1 + rho)."""
    assert blocking(1.0, 4) == pytest.approx(0.2)
    assert blocking(0.5, 1) == pytest.approx(1 / 3)
