"""Shows the examples of docstrings as code: an extension of Griffe, which reads the docstrings for the site."""

import re
from textwrap import dedent
from typing import Any, Final

import griffe

EXAMPLE: Final = re.compile(r"^(?P<indent> *)>>> .*\n?(?:(?P=indent)\S?.*\S.*\n?)*", re.MULTILINE)
SECTION: Final = re.compile(r"[A-Z]\w+:")


class Examples(griffe.Extension):
    """Puts a fence around each example, from `>>>` to the next empty line."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of a module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = EXAMPLE.sub(_fenced, obj.docstring.value)


def _fenced(example: re.Match[str]) -> str:
    """An example in a fence; one in a section, as `Examples:`, is left to Griffe."""
    before = [line for line in example.string[: example.start()].splitlines() if line and not line.startswith(" ")]
    if before and SECTION.fullmatch(before[-1]):
        return example[0]
    return f"```pycon\n{dedent(example[0]).rstrip()}\n```\n"
