"""The code blocks of README and of the pages in docs/ run: section by section, each in an empty folder of its own.

What a section needs of the sections before it, a run folder or a file by its name, is made first. In `make test` runs
are short and trainings tiny; in the long run every command is called as it stands.
"""

import csv
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from effort import LONG
from generated.commands import commands

from cosim.cli.main import status
from cosim.experiments.environments import is_environment
from cosim.scenario.load import load

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$|^## (.*?)$', re.MULTILINE | re.DOTALL)
OUT = re.compile(r"--(?:out|name) (\S+)")
SMALLER = {
    "run": ["--no-picture", "--set", "duration_s=20"],
    "train": ["--seeds", "2", "--episodes", "2", "--jobs", "1"],
    "compare": ["--seeds", "1", "--jobs", "1", "--set", "duration_s=20"],
    "evaluate": ["--seeds", "1", "--jobs", "1", "--set", "duration_s=20"],
    "twin score": ["--seconds", "20"],
}


@dataclass(frozen=True, slots=True)
class Step:
    """A command, or a block of Python or YAML."""

    section: str
    language: str
    text: str
    makes: str
    """A file, or a folder that it writes; "" for none."""


def steps(page: Path) -> list[Step]:
    """The steps of a page, in order."""
    found, section = [], "Top"
    for language, title, text, heading in BLOCK.findall(page.read_text(encoding="utf-8")):
        if heading:
            section = heading
        elif language == "console":
            for line in text.splitlines():
                assert line.startswith("$ cosim "), f"{page.name} shows a command that is not checked: {line}"
                made = OUT.search(line)
                found.append(Step(section, language, line.removeprefix("$ cosim "), made[1] if made else ""))
        elif language in ("yaml", "python"):
            found.append(Step(section, language, text, title))
        else:
            assert language in ("sh", "text"), f"{page.name} has a block in {language}, which nothing checks"
    return found


def with_needs(page: Path, section: str) -> Iterator[Step]:
    """The steps of a section, after those of earlier sections that make what they name."""
    every = steps(page)
    own = [step for step in every if step.section == section]
    before = every[: every.index(own[0])]
    chosen = list(own)
    for step in reversed(before):
        name = rf"(?<![\w./-]){re.escape(step.makes)}(?![\w-]|\.\w)"
        if step.makes and any(re.search(name, later.text) and later.makes != step.makes for later in chosen):
            chosen.insert(0, step)
    yield from chosen


def sections() -> Iterator[tuple[Path, str]]:
    """Every section with something to run."""
    for page in PAGES:
        for section in dict.fromkeys(step.section for step in steps(page)):
            yield page, section


def smaller(arguments: list[str]) -> list[str]:
    """A command in the size of `make test`; what it sets itself stays."""
    given = next((more for name, more in SMALLER.items() if arguments[: len(name.split())] == name.split()), [])
    if "--agents" in arguments or "--settings" in arguments:
        return arguments
    if any(argument.startswith("duration_s=") for argument in arguments) or (
        len(arguments) > 1 and is_environment(arguments[1])
    ):
        given = [argument for argument in given if argument not in ("--set", "duration_s=20")]
    return [*arguments, *given]


class Made:
    """Folders that steps have made in this process, so that sections that need one do not make it again."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._kept: dict[tuple[Path, str], Path] = {}

    def take(self, page: Path, step: Step) -> bool:
        """Put what the step makes into the working folder, if it was made before."""
        kept = self._kept.get((page, step.text))
        if kept is not None:
            shutil.copytree(kept, step.makes)
        return kept is not None

    def keep(self, page: Path, step: Step) -> None:
        """Keep a copy of what the step has made."""
        if Path(step.makes).is_dir() and (page, step.text) not in self._kept:
            copy = self._store / str(len(self._kept))
            self._kept[page, step.text] = Path(shutil.copytree(step.makes, copy))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """What sections share."""
    return Made(tmp_path_factory.mktemp("made"))


def call(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A command that ends with 0."""
    done = status(arguments if LONG else smaller(arguments))
    assert done == 0, f"cosim {shlex.join(arguments)}: {capsys.readouterr()}"


@pytest.mark.counted
@pytest.mark.parametrize(
    ("page", "section"), [pytest.param(page, section, id=f"{page.stem}-{section}") for page, section in sections()]
)
def test_section_runs(
    page: Path,
    section: str,
    made: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Commands end with 0, scenarios are accepted and run, Python runs."""
    monkeypatch.chdir(tmp_path)
    for number, step in enumerate(with_needs(page, section)):
        if step.makes and step.language != "console":
            Path(step.makes).write_text(step.text, encoding="utf-8")
        if step.language == "console":
            if step.section != section and made.take(page, step):
                continue
            call(shlex.split(step.text), capsys)
            if step.makes:
                made.keep(page, step)
        elif step.language == "python":
            exec(compile(step.text, page.name, "exec"), {"__name__": "page"})  # noqa: S102 - our own pages
        elif step.makes:
            load(step.makes)
        else:
            Path(f"{number}.yaml").write_text(step.text, encoding="utf-8")
            call(["run", f"{number}.yaml", "--out", f"runs/{number}", "--no-picture"], capsys)
            call(["trace", "verify", f"runs/{number}"], capsys)


def test_pages_show_how_it_is_used() -> None:
    """README has a command and a policy to try; the pages have commands, scenarios and Python."""
    assert {step.language for step in steps(ROOT / "README.md")} == {"console", "python"}
    assert {step.language for page in PAGES for step in steps(page)} == {"console", "python", "yaml"}


def test_shown_options_exist() -> None:
    """Every `cosim` line of a shell block, which no test runs, names a command and options that exist."""
    known = {command.name: command for command in commands()}
    for page in PAGES:
        for language, _, text, _ in BLOCK.findall(page.read_text(encoding="utf-8")):
            for line in text.replace("\\\n", " ").splitlines() if language == "sh" else ():
                words = shlex.split(line, comments=True)
                if words[:1] != ["cosim"]:
                    continue
                name = next((name for end in (3, 2) if (name := " ".join(words[:end])) in known), None)
                assert name is not None, f"{page.name}: {line}"
                options = {part for option in known[name].options for part in option.name.split(" / ")}
                assert {word for word in words if word.startswith("--")} <= options, f"{page.name}: {line}"


def test_readme_is_short() -> None:
    """README has at most 150 lines."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_make_targets_exist(page: Path) -> None:
    """What a page calls by make is there."""
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE):
        assert f"\n{target}:" in targets, target


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_links_lead_to_files(page: Path) -> None:
    """A link inside the repository leads to a file, or to a page that is made of the code."""
    from generated import PAGES as MADE

    for target in re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        path = (page.parent / target).resolve()
        made = path.is_relative_to(ROOT / "docs") and path.relative_to(ROOT / "docs").as_posix() in MADE
        picture = ROOT / "results" / path.relative_to(ROOT / "docs") if path.suffix == ".png" else path
        assert path.exists() or made or picture.exists(), target


def test_map_of_the_code_names_what_exists() -> None:
    """Each path of the map of the code is there."""
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"), re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert len(names) > 20
    for name in names:
        assert (ROOT / name).exists() or (ROOT / "cosim" / name).exists(), name


def test_table_of_learners_is_what_was_measured() -> None:
    """Each figure of the page of S1 is the rounded one of results/papers/s1/learners.csv."""
    with (ROOT / "results/papers/s1/learners.csv").open(encoding="utf-8") as file:
        measured = {(row["policy"], row["setting"]): row for row in csv.DictReader(file)}
    page = (
        (ROOT / "docs/papers/s1.md").read_text(encoding="utf-8").partition("## All learners")[2].partition("\n## ")[0]
    )
    cells = [cell.strip() for row in re.findall(r"^\| \w.*\|$", page, re.MULTILINE) for cell in row.split("|")[1:-1]]
    shown = {name: (cost, above) for name, cost, above in zip(cells[::3], cells[1::3], cells[2::3], strict=True)}
    for name, (cost, above) in shown.items():
        agent, _, how = name.partition(", ")
        agent = agent.lower().replace("ddpg of equal size", "ddpg-small")
        setting = {"": "", "paper's settings": "paper", "tuned": "tuned"}[how]
        if not how and agent not in ("optimum", "greedy", "nearest", "random", "local"):
            setting = "paper" if agent == "ddpg-small" else "defaults"
        row = measured[agent, setting]
        assert cost == f"{1e3 * float(row['cost_per_slot']):.2f}", name
        percent = [round(float(row[f"against_optimum_percent{end}"])) for end in ("", "_low", "_high")]
        assert above == ("" if agent == "optimum" else "{} % ({} to {})".format(*percent)), name
    assert len(shown) == 22
