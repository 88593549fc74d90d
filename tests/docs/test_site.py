"""The site as `make docs` builds it: strictly, and with nothing that is fetched from another host."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import pytest
from needs import lacking

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.long
REMOTE = re.compile(r"\s*(https?:)?//", re.IGNORECASE)
STYLE = re.compile(r"(?:url\(|@import)\s*[\"']?\s*(?:https?:)?//[^\"')\s]+")


class Fetched(HTMLParser):
    """What a browser fetches for a page by itself: all but the links that somebody clicks on."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses of a tag."""
        values = {name: value or "" for name, value in attrs}
        self.found += STYLE.findall(values.get("style", ""))
        if tag == "a" or (tag == "link" and values.get("rel") in ("canonical", "prev", "next")):
            return
        self.found += [values[name] for name in ("src", "href", "srcset", "data", "poster") if name in values]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly."""
    if find_spec("mkdocs") is None:
        lacking("mkdocs", "mkdocs is not installed; `make docs` installs it")
    out = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "agents")])}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_site_has_the_pages(site: Path) -> None:
    """Home, guide, reference made of the code, and the Python interface are there, with pictures of results."""
    for name in ("index.html", "trace.html", "reference/scenario.html", "reference/commands.html", "api/cosim.html"):
        assert (site / name).is_file(), name
    assert "bandwidth_hz" in (site / "reference/scenario.html").read_text(encoding="utf-8")
    assert (site / "papers/s1/fig3.png").is_file()
    assert not list(site.rglob("*.py"))


def test_examples_of_docstrings_are_code(site: Path) -> None:
    """An example stands in a code block of its own: no prompt in running text, and no fence that was not understood."""
    prompts = 0
    for page in (site / "api").glob("*.html"):
        text = page.read_text(encoding="utf-8")
        prompts += text.count("&gt;&gt;&gt;")
        assert "```" not in text, page
        assert not re.search(r"<p>[^<]*&gt;&gt;&gt;", text), page
    assert prompts > 20


def test_nothing_is_fetched_from_another_host(site: Path) -> None:
    """No script, style, font or image of a page, and no address in a style sheet, leads to another host."""
    fetched = 0
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        parser = Fetched()
        parser.feed(text)
        fetched += len(parser.found)
        assert not [address for address in parser.found if REMOTE.match(address)], page
        assert not [
            style for block in re.findall(r"<style.*?</style>", text, re.DOTALL) for style in STYLE.findall(block)
        ]
    assert fetched > 100
    for sheet in site.rglob("*.css"):
        assert not STYLE.findall(sheet.read_text(encoding="utf-8")), sheet


def test_every_link_leads_somewhere(site: Path) -> None:
    """A link to a page of the site leads to a file and to an anchor in it."""
    anchors = {
        page: set(re.findall(r'\bid="?([^\s">]+)', page.read_text(encoding="utf-8"))) for page in site.rglob("*.html")
    }
    for page in anchors:
        for address in re.findall(r'<a[^>]*\bhref="?([^\s">]+)', page.read_text(encoding="utf-8")):
            if REMOTE.match(address) or address.startswith(("mailto:", "javascript:")) or page.name == "404.html":
                continue
            path, _, anchor = address.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), f"{page.name}: {address}"
            assert not anchor or target.suffix != ".html" or anchor in anchors[target], f"{page.name}: {address}"


def test_no_page_shows_an_entity(site: Path) -> None:
    """No page shows the spelling of a character, as `&#124;`, in place of the character."""
    shown = [page.name for page in sorted(site.rglob("*.html")) if "&amp;#" in page.read_text(encoding="utf-8")]
    assert shown == []
