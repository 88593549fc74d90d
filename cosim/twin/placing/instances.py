"""Placement instances drawn as in the simulation of paper S5 (section 5.2, Table 2)."""

from dataclasses import dataclass

import numpy as np

from cosim.distributions import draw
from cosim.kernel.rng import stream
from cosim.radio.link import noise_w
from cosim.radio.pathloss import power_law_db
from cosim.scenario.twin_placement import PlacementInstances
from cosim.twin.placing.model import Problem, computing_s, creation_s, upload_rate_bps, upload_s
from cosim.types import FloatArray
from cosim.units import THERMAL_NOISE_DBM_HZ, db_to_linear, dbm_to_w


@dataclass(frozen=True, slots=True)
class Instance:
    """One drawn case: what was drawn, the two parts of eq 17, and the problem."""

    data_bit: FloatArray  # (U,)
    rate_bps: FloatArray  # (U, H)
    upload_s: FloatArray  # (U, H)
    computing_s: FloatArray  # (U, H)
    problem: Problem


def instance_stream(seed: int, number: int) -> np.random.Generator:
    """The stream of one instance: it does not depend on how many are drawn."""
    return stream(seed, f"twin/placement/{number}")


def instance_noise_w(config: PlacementInstances) -> float:
    """sigma^2 of eq 20: `noise_dbm` as it stands ("total"), or per hertz times the bandwidth ("density")."""
    if config.noise == "total":
        return dbm_to_w(config.noise_dbm)
    return noise_w(config.bandwidth_hz, config.noise_dbm - THERMAL_NOISE_DBM_HZ)


def draw_instance(config: PlacementInstances, rng: np.random.Generator) -> Instance:
    """Draw data sizes, processors and distances, and work out eq 17-20.

    Readings, none of them given by the paper: h_ij = g0 / d^alpha without fading, each pair's distance drawn by itself
    (users and hosts have no common map); c_ij = `share` x C_j, by default C_j / M_j; M_j and tau_i the same for all.
    Table 3's "latency" of a user is read as T_ij of its host. With `paper` it lies between 1.0 and 2.3 s, and the
    table's 1.06 to 2.0 s with it; a gain of -40 dB at 1 m gives 1.2 to 3.0 s, and c_ij = C_j less by a quarter of a
    second, so the table does not tell the readings apart.
    """
    data_bit = draw(config.data_bit, rng, config.users)
    compute_hz = draw(config.compute_hz, rng, config.hosts)
    shape = (config.users, config.hosts)
    distance_m = draw(config.distance_m, rng, config.users * config.hosts).reshape(shape)
    gain = db_to_linear(-power_law_db(distance_m, config.exponent, config.gain_at_1m_db))
    rate = upload_rate_bps(config.bandwidth_hz, config.power_w, gain, instance_noise_w(config), config.logarithm)
    share = 1.0 / config.places if config.share is None else config.share
    share_hz = np.broadcast_to(share * compute_hz, shape).copy()
    upload, computing = upload_s(data_bit, rate), computing_s(data_bit, share_hz, config.cycles_per_bit)
    problem = Problem(
        cost_s=creation_s(upload, computing),
        distance_m=distance_m,
        share_hz=share_hz,
        limit_s=np.full(config.users, config.limit_s),
        places=np.full(config.hosts, config.places, dtype=np.int64),
        compute_hz=compute_hz,
    )
    return Instance(data_bit, rate, upload, computing, problem)
