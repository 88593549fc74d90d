"""The pictures of paper S1: agents in colour with their bands, rules and the optimum in black and grey."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib import rc_context

from cosim.experiments.figures import COLOURS
from cosim.experiments.papers.lines import LineScores, estimate
from cosim.experiments.papers.pictures import STYLE, SweepPicture, finish, make_canvas
from cosim.experiments.papers.s1.claims import Curves
from cosim.experiments.papers.s1.plan import (
    CURVES,
    GREEDY,
    JOINTLY,
    OPTIMUM,
    PANELS,
    QUANTUM,
    SETTINGS,
    SMALL,
    TRAINED_ON,
    USUAL,
    WITH_POWER,
    S1Size,
)

_STYLES: Final[Mapping[str, dict[str, Any]]] = {
    QUANTUM: {"color": COLOURS[0], "marker": "o"},
    USUAL: {"color": COLOURS[1], "marker": "s"},
    SMALL: {"color": COLOURS[2], "marker": "^"},
    "local": {"color": "0.55", "linestyle": (0, (1, 1.2))},
    "random": {"color": "0.55", "linestyle": (0, (5, 1, 1, 1))},
    "nearest": {"color": "0.55", "linestyle": (0, (3, 1, 1, 1, 1, 1))},
    GREEDY: {"color": "0.25", "linestyle": (0, (5, 2))},
    OPTIMUM: {"color": "black", "linestyle": "solid", "linewidth": 1.1},
    WITH_POWER: {"color": "black", "linestyle": (0, (1, 1)), "linewidth": 1.1},
    JOINTLY: {"color": "black", "linestyle": (0, (1, 1)), "linewidth": 1.1},
}
_TITLES: Final[Mapping[int, str]] = {
    3: "Figure 3: reward of an episode while learning",
    4: "Figure 4: cost over bandwidth",
    5: "Figure 5: latency while learning",
    6: "Figure 6: cost while learning",
    7: "Figure 7: cost over task complexity, fast and slow servers",
    8: "Figure 8: cost over task complexity",
    9: "Figure 9: cost with and without the digital twin",
}
_Y: Final[Mapping[str, str]] = {
    "reward": "reward of an episode of {epochs} slots",
    "latency": "mean latency of a task (ms)",
    "cost": "cost of a slot, w1 L + (1 - w1) E (1e-3)",
}


def draw_settings(path: Path, figure: int, curves: Curves, size: S1Size) -> None:
    """Draw figure 3, 5 or 6: a panel for each setting.

    Args:
        path: the picture to write.
        figure: 3, 5 or 6.
        curves: the learning curves.
        size: size of the experiment.

    Raises:
        InputError: it cannot be written.
    """
    quantity = CURVES[figure]
    factor = 1e3 if quantity == "cost" else 1.0
    with rc_context(STYLE):
        canvas = make_canvas(len(SETTINGS), 1)
        panels = canvas.subplots(1, len(SETTINGS), sharey=True, squeeze=False)[0]
        for axes, setting in zip(panels, SETTINGS, strict=True):
            for of, agent in curves.agents:
                if of != setting:
                    continue
                band = curves.smooth(setting, agent, quantity, size.window)
                episode, style = np.arange(1, len(band.value) + 1), {**_STYLES[agent], "marker": ""}
                axes.fill_between(episode, factor * band.low, factor * band.high, color=style["color"], alpha=0.2, lw=0)
                axes.plot(episode, factor * band.value, label=agent, **style)
            for name, level in curves.levels.items():
                axes.axhline(factor * estimate(level[quantity]).value, label=name, **_STYLES[name])
            axes.set(title=PANELS[setting], xlabel="episode")
            axes.xaxis.get_major_locator().set_params(integer=True)
        panels[0].set_ylabel(_Y[quantity].format(epochs=size.epochs))
        shorter = f"; {size.others} with tuned settings" if size.others != size.episodes else ""
        told = f"mean of {size.window} episodes, agents explore; rules in every 5th episode; {TRAINED_ON['nominal']}"
        said = f"Trainings of {size.episodes} episodes{shorter}; {told}"
        finish(canvas, panels, "S1", _TITLES[figure], said, size, path)


def sweep_picture(figure: int, measured: Mapping[str, LineScores], size: S1Size) -> SweepPicture:
    """Return the texts and styles of figure 4, 7, 8 or 9: cost over the parameter.

    Args:
        figure: 4, 7, 8 or 9.
        measured: scores by key of the line.
        size: size of the experiment.
    """
    groups = list(dict.fromkeys(one.line.group for one in measured.values() if one.line.group))
    trained = "; ".join(TRAINED_ON[group] for group in groups)
    told = f"Realised in roll-outs of {size.duration_s:g} s without exploration; agents trained {trained}"
    return SweepPicture(
        paper="S1",
        title=_TITLES[figure],
        quantity="cost",
        factor=1e3,
        y_label=_Y["cost"],
        told=f"Trainings of {size.episodes} episodes. {told}",
        styles=_STYLES,
        panels=PANELS,
        variants=("dashed", "solid") if figure == 9 else ("solid", "dashed"),
        markers={OPTIMUM: "D"},
    )
