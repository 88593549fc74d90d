"""Learning from outside: each framework trains by an example of a few lines, in an environment of its own."""

import ast
import io
import os
import runpy
import subprocess
import sys
import sysconfig
import tempfile
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from needs import lacking

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "frameworks"
PACKAGES = {
    "sb3_dqn_ppo": (),
    "maskable_ppo": ("sb3-contrib>=2.9,<2.10",),
    "own_dqn": (),
    "own_ppo": (),
    "pettingzoo_mappo": (),
    "torchrl_dqn": ("torchrl>=0.14,<0.15",),
    "rllib_ppo": ("ray[rllib]>=2.55,<3",),
}
"""Packages that each example needs beside those of the extra `learn`; RLlib brings a Gymnasium of its own."""
MOST_BYTE = 1e9
"""Bound of what a framework installs beside the extra `learn`."""
PRINTED = {
    "sb3_dqn_ppo": ("DQN: reward of an episode -", "PPO: reward of an episode -"),
    "maskable_ppo": ("MaskablePPO: reward of an episode -",),
    "own_dqn": ("DQN: mean reward of the last 100 tasks -",),
    "own_ppo": ("PPO: mean reward of 128 tasks -",) * 2,
    "pettingzoo_mappo": ("MAPPO: mean reward of 64 rounds -",) * 4,
    "torchrl_dqn": ("DQN: mean reward of 32 tasks -",) * 8,
    "rllib_ppo": ("PPO: reward of an episode -",) * 2,
}
"""How the lines begin that each prints after 256 steps."""


def code_lines(path: Path) -> int:
    """Lines of an example without its docstring, imports, comments and empty lines."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    left_out = {
        line
        for node in (tree.body[0], *(node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)))
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    blank = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    lines = {line for token in tokens if token.type not in blank for line in range(token.start[0], token.end[0] + 1)}
    return len(lines - left_out)


def check(name: str, printed: str) -> None:
    """Each line that an example prints is as it should begin."""
    lines = printed.splitlines()
    assert len(lines) == len(PRINTED[name]), printed
    assert all(line.startswith(begin) for line, begin in zip(lines, PRINTED[name], strict=True)), printed


def test_examples_are_short_and_all_are_tried() -> None:
    """None has more than 20 lines of code."""
    paths = sorted(EXAMPLES.glob("*.py"))
    assert [path.stem for path in paths] == sorted(PACKAGES)
    assert {path.stem: code_lines(path) for path in paths if code_lines(path) > 20} == {}


def test_a_loop_of_ones_own(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The shortest of them learns from 60 tasks."""
    monkeypatch.setattr(sys, "argv", ["own_dqn.py", "60"])
    runpy.run_path(str(EXAMPLES / "own_dqn.py"), run_name="__main__")
    check("own_dqn", capsys.readouterr().out)


@pytest.fixture
def short() -> Iterator[str]:
    """A folder with a name that is short enough for Ray's sockets."""
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        yield folder


@pytest.mark.long
@pytest.mark.parametrize("name", PACKAGES)
def test_a_framework_learns(name: str, tmp_path: Path, short: str) -> None:
    """With its package in an environment of its own over this one, an example trains for 256 steps and says so."""
    made = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made)], check=True)
    python = str(made / "bin" / "python")
    own = next((made / "lib").glob("python*/site-packages"))
    (own / "over.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    plain = {key: value for key, value in os.environ.items() if key not in {"COSIM_TESTS", "SEEDS"}}
    plain |= {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'agents'}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "0" * 64,
        "RAY_TMPDIR": short,
    }
    if PACKAGES[name]:
        pip = [python, "-m", "pip", "--disable-pip-version-check", "--retries", "1", "install", "--quiet"]
        reached = subprocess.run(
            [*pip, "--dry-run", "--no-deps", *PACKAGES[name]], capture_output=True, text=True, env=plain, check=False
        )
        if reached.returncode != 0:
            lacking("index", f"pip reaches no package index: {' '.join(reached.stderr.split())[-200:]}")
        subprocess.run([*pip, *PACKAGES[name]], env=plain, check=True, timeout=900)
        size_byte = sum(path.stat().st_size for path in own.rglob("*") if path.is_file() and not path.is_symlink())
        assert size_byte < MOST_BYTE, f"{size_byte / 1e6:.0f} MB"
    command = [python, str(EXAMPLES / f"{name}.py"), "256"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=plain, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    check(name, "\n".join(line for line in done.stdout.splitlines() if "reward of" in line or "mean reward" in line))
