"""The pages of the documentation that are made of the code as it stands, at each build: reference tables by name.

`PAGES` maps the path of a page to the function that gives its Markdown; `docs/hooks.py` hands them to MkDocs.
"""

from collections.abc import Callable, Mapping
from typing import Final

from generated.audit import audit_page
from generated.commands import commands_page
from generated.facts import facts_page
from generated.figures import figures_page
from generated.scenario import scenario_page

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "reference/scenario.md": scenario_page,
    "reference/facts.md": facts_page,
    "reference/figures.md": figures_page,
    "reference/audit.md": audit_page,
    "reference/commands.md": commands_page,
}
