"""Learning environments: a simulation turned one decision at a time. Importing this registers `cosim/Offloading-v0`."""

import gymnasium

gymnasium.register("cosim/Offloading-v0", entry_point="cosim.envs.single:OffloadingEnv")
