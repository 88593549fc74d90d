"""The installed package is typed for users: a script over its face passes mypy --strict, and mistakes in it do not."""

import os
import subprocess
import sys
from pathlib import Path

import cosim_agents
import pytest

import cosim

SCRIPT = Path(__file__).with_name("user_script.py")
PAGE = Path(cosim.__file__).parent.parent / "docs" / "trace.md"


def mypy(folder: Path, script: str) -> str:
    """What mypy says of a script of a user's, who has the two packages on the path and no settings."""
    (folder / "script.py").write_text(script)
    roots = [str(Path(str(package.__file__)).parent.parent) for package in (cosim, cosim_agents)]
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--follow-imports=silent", "script.py"]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "MYPYPATH": os.pathsep.join(roots)},
    )
    return ended.stdout + ended.stderr


@pytest.mark.long
def test_a_users_script_is_typed(tmp_path: Path) -> None:
    """Names of the face and tables of a trace have their types; the page on traces passes; mistakes are found."""
    assert mypy(tmp_path, SCRIPT.read_text(encoding="utf-8")).startswith("Success: no issues found")
    blocks = [part.partition("```")[0] for part in PAGE.read_text(encoding="utf-8").split("```python\n")[1:]]
    (reading,) = [block for block in blocks if "trace.table(TaskEnded)" in block]
    assert mypy(tmp_path, reading).startswith("Success: no issues found")
    wrong = "import cosim\ncosim.load(3)\ncosim.Trace.open('a').table('task_ended').nothing()\ncosim.simulated\n"
    told = mypy(tmp_path, wrong)
    assert 'Argument 1 to "load" has incompatible type "int"' in told
    assert 'Argument 1 to "table" of "Trace" has incompatible type "str"' in told
    assert 'Module has no attribute "simulated"' in told
