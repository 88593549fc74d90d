"""The seeds of an environment's episodes: given, or drawn so that no two episodes or copies are the same by chance."""

import os

import numpy as np
from gymnasium.utils import seeding


class SeededEpisodes:
    """What environments have in common: the seed of an episode is the one given, or the next of a generator.

    The generator starts from the last seed given, so that a seed repeats the whole sequence of episodes after it.
    Before a seed is given it starts from the operating system's entropy, as it does in a process that was forked since:
    copies never share a sequence.

        >>> env = SeededEpisodes()
        >>> first = [env.next_seed(3), env.next_seed(), env.next_seed()]
        >>> len(set(first)), first == [env.next_seed(3), env.next_seed(), env.next_seed()]
        (3, True)
    """

    _np_random: np.random.Generator | None = None  # as Gymnasium names them
    _np_random_seed: int | None = None
    _process: int | None = None

    def next_seed(self, seed: int | None = None) -> int:
        """Return the seed of the next episode.

        Args:
            seed: the seed to take; None: one is drawn.

        Raises:
            gymnasium.error.Error: the seed is no whole number of at least 0.
        """
        here = os.getpid()
        if seed is not None or self._np_random is None or self._process not in (None, here):
            self._np_random, self._np_random_seed = seeding.np_random(seed)
        self._process = here
        return int(self._np_random.integers(2**31)) if seed is None else seed
