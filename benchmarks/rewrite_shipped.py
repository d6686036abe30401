"""Write the shipped results and oracles anew in today's format, after a change of the formats.

    python benchmarks/rewrite_shipped.py

Results stand in `docs/results`, measured oracles in `tasks/cogbench_tasks/oracles`. No similarity is computed; results
that an older schema scored are scored anew. A result may get another file name, for names hold a hash of all that sets
results apart. Then `make board` writes the leaderboard.
"""

import argparse
import dataclasses
import importlib
import sys
from dataclasses import replace
from pathlib import Path

from cogbench import Parts, Result, load_parts, read_oracle, rescore
from cogbench.compute.transfers import in_todays_form
from cogbench.data.oracle_files import write_oracle
from cogbench.parts.codec import decode

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
ORACLES = ROOT / "tasks" / "cogbench_tasks" / "oracles"


def main() -> None:
    """Rewrite what differs, and say so."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    parts = load_parts()
    for file in sorted(RESULTS.glob("*.json")):
        result = Result.load(file)
        result = replace(result, options={name: renamed(value, parts) for name, value in result.options.items()})
        if result.is_outdated and result.oracle:
            result = rescore(result, result.oracle.name)
        before, path = file.read_bytes(), RESULTS / result.file_name
        result.save(RESULTS)
        if path != file:
            file.unlink()
        tell(path, before)
    for path in sorted(ORACLES.glob("*.json")):
        before = path.read_bytes()
        write_oracle(in_todays_form(read_oracle(path)), path)
        tell(path, before)


def tell(path: Path, before: bytes) -> None:
    """Say which file was rewritten."""
    if path.read_bytes() != before:
        print(f"wrote {path.relative_to(ROOT)}", file=sys.stderr)


def renamed(value, parts: Parts):
    """Return the value of an option with the installed parts in it by kind, name and changed options.

    Options that a part has no more are left out: they did nothing.
    """
    if isinstance(value, list):
        return [renamed(v, parts) for v in value]
    if not isinstance(value, dict) or "is" not in value:
        return value
    module, _, name = value["is"].partition(":")
    cls = getattr(importlib.import_module(module), name)
    fields = {field.name for field in dataclasses.fields(cls)}
    return parts.encode(cls(**{key: decode(v) for key, v in value.items() if key in fields}))


if __name__ == "__main__":
    main()
