"""The blocks of a page that are run: fences named `console`, whose commands begin with `$`.

The lines below a command are the beginning of what it prints; a line `...` stands for any lines. A command without such
lines is only run. All blocks of a page share one folder, in which `docs` is that of the checkout, and one fresh store.

`python docs/site/blocks.py PAGE …` runs pages and prints what their commands print.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```console\n(.*?)^```$", re.S | re.M)
ELLIPSIS = "..."


@dataclass(frozen=True)
class Command:
    """A command as it is typed, and the lines that a page shows below it."""

    text: str
    shown: tuple[str, ...]


def commands(page: str) -> list[Command]:
    """Return the commands of all blocks of a page, in their order."""
    answer = list[Command]()
    for block in FENCE.findall(page):
        typed, shown = list[str](), list[str]()
        for line in block.splitlines():
            if typed and typed[-1].endswith("\\"):
                typed.append(line)
            elif line.startswith("$ "):
                if typed:
                    answer.append(Command("\n".join(typed), tuple(shown)))
                typed, shown = [line.removeprefix("$ ")], []
            elif not typed:
                raise ValueError(f"a block begins with what is no command: {line}")
            else:
                shown.append(line.rstrip())
        answer.append(Command("\n".join(typed), tuple(shown)))
    return answer


def matches(shown: tuple[str, ...], printed: str) -> bool:
    """Say whether what was printed is what a page shows; nothing shown matches anything."""
    pieces = [r"(?:.*\n)*?" if line == ELLIPSIS else re.escape(line) + r" *\n" for line in shown]
    return not shown or bool(re.fullmatch("".join(pieces), printed.rstrip("\n") + "\n"))


def run(command: Command, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder with a store of its own, with the Python and the packages of this process."""
    shim = folder / "bin" / "cogbench"
    if not shim.exists():
        shim.parent.mkdir()
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cogbench "$@"\n')
        shim.chmod(0o755)
        (folder / "docs").symlink_to(ROOT / "docs")
    surroundings = {
        **os.environ,
        "PATH": f"{shim.parent}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "COGBENCH_HOME": str(folder / "home"),
        "COGBENCH_OFFLINE": "1",
        "COLUMNS": "100",
    }
    return subprocess.run(
        ["bash", "-c", command.text], cwd=folder, env=surroundings, capture_output=True, text=True, timeout=300
    )


def faults(page: str, folder: Path) -> list[str]:
    """Run all commands of a page, and return what does not hold, a text each."""
    answer = list[str]()
    for command in commands(page):
        done = run(command, folder)
        if done.returncode:
            answer.append(f"$ {command.text}\nended with {done.returncode}: {done.stderr}")
        elif not matches(command.shown, done.stdout):
            answer.append(f"$ {command.text}\nprints something else:\n{done.stdout}")
    return answer


if __name__ == "__main__":
    for name in sys.argv[1:]:
        with TemporaryDirectory() as place:
            for step in commands(Path(name).read_text(encoding="utf-8")):
                outcome = run(step, Path(place))
                print(f"$ {step.text}\n{outcome.stdout}", end="")
                same = matches(step.shown, outcome.stdout)
                print(f"[exit code {outcome.returncode}, {'as shown' if same else 'NOT AS SHOWN'}]", file=sys.stderr)
                if outcome.returncode:
                    print(outcome.stderr, file=sys.stderr)
