"""Every figure of merit: its unit, what it is, and the query that gives it."""

from typing import Final

from cosim.trace.metrics.definitions import definitions
from generated.facts import TITLES
from generated.markdown import code, sentence, table

_INTRODUCTION: Final = """\
# Figures of merit

Every figure that `cosim trace summary RUN --all` prints and `cosim.kpis` returns, made at each build from the code.
Tasks count by their time of release: those released before `statistics.warmup_s` are left out, and those in flight at
the end of the run enter no ratio. Each figure has a confidence interval of batch means (`statistics.batches`,
`statistics.confidence`): the measured time is cut into equal slices, which are the batches. `/*` stands for one figure
of each site.

The queries give the values without intervals; put the end of the warm-up for `$begin_s` and the end of the run for
`$end_s`.
"""


def figures_page() -> str:
    """Return the page."""
    parts = [_INTRODUCTION]
    for subject, defined in definitions():
        parts.append(f"## {TITLES.get(subject.name, f'Runs with {subject.name}')}\n")
        rows = [(code(name), one.unit, sentence(one.meaning)) for name, one in defined.items()]
        parts.append(table(("figure", "unit", "what it is"), rows) + "\n")
        if queries := [f"-- {name}\n{one.sql};" for name, one in defined.items() if one.sql]:
            text = "\n\n".join(queries).replace("\n", "\n    ")
            parts.append(f'??? note "Queries"\n\n    ```sql\n    {text}\n    ```\n')
    return "\n".join(parts)
