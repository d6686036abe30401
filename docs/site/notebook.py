"""Run a notebook without Jupyter: `python docs/site/notebook.py FILE` writes what its cells print."""

import ast
import io
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any


def run(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run the code cells in their order, and return all cells with what they print and what their last line is."""
    names: dict[str, Any] = {"__name__": "__notebook__"}
    return [_run(cell, names) if cell["cell_type"] == "code" else cell for cell in cells]


def _run(cell: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    body = ast.parse("".join(cell["source"])).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(ast.Module(body, []), "cell", "exec"), names)
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names) if isinstance(last, ast.Expr) else None
    outputs = list[dict[str, Any]]()
    if text := printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)})
    if value is not None:
        data = {"text/plain": repr(value).splitlines(keepends=True)}
        outputs.append({"output_type": "execute_result", "execution_count": None, "metadata": {}, "data": data})
    return {**cell, "outputs": outputs}


if __name__ == "__main__":
    file = Path(sys.argv[1])
    notebook = json.loads(file.read_text(encoding="utf-8"))
    notebook["cells"] = run(notebook["cells"])
    file.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
