"""Adds to the site what is not written by hand: pages made of the code, and the pictures of papers' results."""

from pathlib import Path
from typing import Any, Final

from generated import PAGES
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT: Final = Path(__file__).parents[1]


def on_files(files: Files, config: MkDocsConfig, **_: Any) -> Files:
    """Add the generated pages and the pictures of `results/`."""
    for path, page in PAGES.items():
        files.append(File.generated(config, path, content=page()))
    for picture in sorted(ROOT.glob("results/papers/*/*.png")):
        path = picture.relative_to(ROOT / "results").as_posix()
        files.append(File.generated(config, path, abs_src_path=str(picture)))
    return files
