"""Learning environments over a simulation, a step for each decision; importing this registers `cosim/Offloading-v0`."""

import gymnasium

gymnasium.register("cosim/Offloading-v0", entry_point="cosim.envs.single:OffloadingEnv")
