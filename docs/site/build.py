"""Make the site of the documents: `python docs/site/build.py FOLDER`. Every warning is an error.

The pages are those of docs/index.md, wherever in the repository they stand, and the reference, which is made from the
installed program. All are copied into one folder, their links changed accordingly, and sphinx reads that folder.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"(!?\[[^\]\n]*(?:\n[^\]\n]*)?\]\()(?!https?:|#|mailto:)([^)#\s]+)(#[^)]*)?\)")
FENCE = re.compile(r"(^```.*?^```$)", re.S | re.M)
REFERENCE = {
    "reference/commands.md": "Commands",
    "reference/parts.md": "Installed parts",
    "reference/api.rst": "Python interface",
    "reference/result.md": "The file of a result",
}


def sections(index: str) -> dict[str, list[tuple[str, str]]]:
    """Return the sections of the index: for each heading its links, as (title, path from docs)."""
    answer = dict[str, list[tuple[str, str]]]()
    for part in re.split(r"^## ", index, flags=re.M)[1:]:
        heading, _, rest = part.partition("\n")
        answer[heading.strip()] = re.findall(r"^- \[([^\]]+)\]\(([^)]+)\)$", rest, re.M)
    return answer


def listed() -> list[tuple[str, str]]:
    """Return all links of the index."""
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    return [link for links in sections(index).values() for link in links]


def places() -> dict[Path, str]:
    """Return where each page stands in the site, by its place in the repository."""
    answer = {DOCS / "index.md": "index.md"}
    for _, link in listed():
        file = Path(os.path.normpath(DOCS / link))
        if file.is_relative_to(DOCS):
            place = file.relative_to(DOCS).with_suffix(".md").as_posix()
        elif file == ROOT / "README.md":
            place = "start.md"
        elif file.name == "README.md":
            place = f"distributions/{file.parent.name}.md"
        else:
            place = f"{file.stem.lower()}.md"
        answer[file] = place
    return answer


def first_sentence(text: str) -> str:
    """Return the first sentence below the title of a page, without links and marks."""
    paragraphs = re.split(r"\n\s*\n", FENCE.sub("", text.partition("\n")[2]).strip())
    plain = next((p for p in paragraphs if re.match(r"[A-Za-z\[`*]", p)), "")
    plain = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", " ".join(plain.split())).replace("**", "")
    match = re.match(r".*?(?<!al)\.(?= [A-Z]|$)", plain)
    return match[0] if match else ""


def llms() -> str:
    """Return what docs/llms.txt says: the pages, each with its first sentence, for programs that read documents."""
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    lines = ["# cogbench", "", f"> {' '.join(index.split('##')[0].split(chr(10), 2)[2].split())}"]
    lines[-1] = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", lines[-1])
    for heading, links in sections(index).items():
        lines += ["", f"## {heading}", ""]
        for title, link in links:
            file = DOCS / link
            text = "" if link.endswith(".ipynb") else first_sentence(file.read_text(encoding="utf-8"))
            lines.append(f"- [{title}]({link}){': ' + text if text else ''}")
    return "\n".join(lines) + "\n"


def moved(text: str, file: Path, place: str, site: Mapping[Path, str], files: dict[Path, str]) -> str:
    """Return a page with its links as they are in the site; files that are no pages are added to `files`."""

    def change(match: re.Match[str]) -> str:
        target = Path(os.path.normpath(file.parent / match[2]))
        if target not in site:
            files[target] = f"files/{target.relative_to(ROOT).as_posix()}"
        there = site.get(target) or files[target]
        return f"{match[1]}{os.path.relpath(there, Path(place).parent)}{match[3] or ''})"

    pieces = FENCE.split(text)
    return "".join(piece if piece.startswith("```") else LINK.sub(change, piece) for piece in pieces)


def of_notebook(text: str) -> str:
    """Return a notebook as a page."""
    pieces = list[str]()
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        pieces.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", ()):
            shown = output.get("text") or output.get("data", {}).get("text/plain") or ()
            pieces.append("```\n" + "".join(shown).rstrip() + "\n```")
    return "\n\n".join(pieces) + "\n"


def with_toctrees(index: str, site: Mapping[Path, str]) -> str:
    """Return the index with a hidden toctree for each of its sections, and the section of the reference."""
    trees = ""
    for heading, links in sections((DOCS / "index.md").read_text(encoding="utf-8")).items():
        pages = [(title, site[Path(os.path.normpath(DOCS / link))]) for title, link in links]
        pages += [(title, place) for place, title in REFERENCE.items()] if heading == "Look up" else []
        lines = "\n".join(f"{title} <{place.rpartition('.')[0]}>" for title, place in pages)
        trees += f"\n```{{toctree}}\n:hidden:\n:caption: {heading}\n\n{lines}\n```\n"
    reference = "".join(f"- [{title}]({place})\n" for place, title in REFERENCE.items())
    return index.replace("\n## Extend", f"{reference}\n## Extend") + trees


def cell(text: object) -> str:
    """Return a text as a cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def table(heads: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> str:
    """Return a table of markdown."""
    lines = [heads, ("---",) * len(heads), *(tuple(cell(value) for value in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def commands() -> str:
    """Return the page of all commands, made from the program."""
    import click

    from cogbench.cli.main import cli

    def walk(command: click.Command, context: click.Context) -> Iterator[str]:
        depth = "#" * (2 if context.command_path.count(" ") < 2 else 3)
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        yield f"{depth} {context.command_path}\n\n{cell(command.help or '')}\n\n```\n{usage}\n```\n"
        shown = (p.get_help_record(context) for p in command.get_params(context) if "--help" not in p.opts)
        records = [(f"`{record[0]}`", record[1]) for record in shown if record]
        if records:
            yield table(("option", "what it says"), iter(records))
        for name in command.list_commands(context) if isinstance(command, click.Group) else ():
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from walk(child, click.Context(child, info_name=name, parent=context))

    context = click.Context(cli, info_name="cogbench")
    body = "\n".join(walk(cli, context))
    about = "This page is made from the program. [environment.md](../environment.md) has exit codes and variables."
    return f"# Commands\n\n{about}\n\n{body}"


def parts() -> str:
    """Return the page of the installed parts, made from the program's own lists."""
    from click.testing import CliRunner

    from cogbench.cli.main import cli

    pieces = ["# Installed parts\n\nThis page is made from the parts that were installed when the site was made."]
    for kind in ("estimators", "oracles", "signals", "backbones", "tasks", "suites", "packs", "selectors"):
        answer = CliRunner().invoke(cli, ["list", kind, "--json"])
        if answer.exit_code:
            raise SystemExit(f"cogbench list {kind}: {answer.output}")
        rows = json.loads(answer.stdout)
        heads = tuple(dict.fromkeys(key for row in rows for key in row if key != "details"))
        body = table(heads, (tuple(plain(row.get(head)) for head in heads) for row in rows)) if rows else "None."
        pieces.append(f"## {kind.capitalize()}\n\n{body}")
    return "\n\n".join(pieces)


def plain(value: Any) -> str:
    """Return a value of a list as words, without folders of this machine."""
    if isinstance(value, dict):
        return "; ".join(f"{key} {plain(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(plain(inner) for inner in value)
    return re.sub(r"/\S+/(?=[^/\s]+)", "", str(value)) if value is not None else ""


def public_names() -> dict[str, list[str]]:
    """Return the public names by the groups of cogbench/__init__.pyi."""
    groups, current = dict[str, list[str]](), ""
    for line in (ROOT / "cogbench/__init__.pyi").read_text(encoding="utf-8").splitlines()[1:]:
        if line.startswith("# "):
            current = line.removeprefix("# ").rstrip(".")
            groups[current] = []
        groups.setdefault(current, []).extend(re.findall(r"\bas (\w+)", line))
    return {heading: names for heading, names in groups.items() if names}


def api() -> str:
    """Return the page of the public names, as their docstrings describe them."""
    import inspect

    import cogbench
    from cogbench import testing

    pieces = ["Python interface\n================\n\nAll public names of ``cogbench`` and ``cogbench.testing``.\n"]
    groups = [(heading, cogbench, names) for heading, names in public_names().items()]
    groups.append(("Checking parts: cogbench.testing", testing, [n for n in testing.__all__ if n[0].islower()]))
    for heading, module, names in groups:
        pieces.append(f"{heading}\n{'-' * len(heading)}\n")
        for name in names:
            value, path = getattr(module, name), f"{module.__name__}.{name}"
            if inspect.isclass(value):
                pieces.append(f".. autoclass:: {path}\n   :members:\n")
            elif inspect.isroutine(value):
                pieces.append(f".. autofunction:: {path}\n")
            else:
                pieces.append(f".. data:: {path}\n\n   {constant(value)}\n")
    return "\n".join(pieces)


def constant(value: Any) -> str:
    """Return what a public constant is, in a line."""
    if isinstance(value, (dict, tuple, frozenset, set)) and value and all(isinstance(key, str) for key in value):
        return f"{type(value).__name__} with ``{'``, ``'.join(sorted(value))}``"
    return f"``{type(value).__name__}``"


def result() -> str:
    """Return the page of the schema of results."""
    schema = json.loads((DOCS / "result.schema.json").read_text(encoding="utf-8"))
    records = {"Result": schema, **schema.get("$defs", {})}
    pieces = [
        "# The file of a result\n\nEach run writes JSON files of this form. The schema itself, as JSON Schema, is "
        "[result.schema.json](../result.schema.json)."
    ]
    for name, record in records.items():
        about = (record.get("description") or "").partition("\n")[0]
        rows = ((f"`{key}`", kind_of(value), value.get("default", "")) for key, value in record["properties"].items())
        pieces.append(f"## {name}\n\n{cell(about)}\n\n{table(('field', 'type', 'default'), rows)}")
    return "\n\n".join(pieces)


def kind_of(value: dict[str, Any]) -> str:
    """Return the type of a field of the schema, in a word."""
    if "$ref" in value:
        return str(value["$ref"]).rpartition("/")[2]
    if "anyOf" in value:
        return " or ".join(kind_of(option) for option in value["anyOf"])
    if value.get("type") == "array":
        return f"list of {kind_of(value['items'])}" if isinstance(value.get("items"), dict) else "list"
    if isinstance(inner := value.get("additionalProperties"), dict):
        return f"object of {kind_of(inner)}"
    return str(value.get("type") or "any value")


def make_source(source: Path) -> None:
    """Write the folder that sphinx reads."""
    shutil.rmtree(source, ignore_errors=True)
    site, files = places(), {DOCS / "result.schema.json": "result.schema.json"}
    site_of_files = {**site, **{file: place for file, place in files.items()}}
    titles = {site[Path(os.path.normpath(DOCS / link))]: title for title, link in listed()}
    for file, place in site.items():
        text = file.read_text(encoding="utf-8")
        text = of_notebook(text) if file.suffix == ".ipynb" else text
        text = moved(text, file, place, site_of_files, files)
        text = with_toctrees(text, site) if place == "index.md" else text
        if file.suffix == ".md" and not re.search(r"^# ", text, re.M):  # boards have no title of their own
            text = f"# {titles[place]}\n\n{text}"
        (source / place).parent.mkdir(parents=True, exist_ok=True)
        (source / place).write_text(text, encoding="utf-8")
    for place, page in zip(REFERENCE, (commands(), parts(), api(), result()), strict=True):
        (source / place).parent.mkdir(parents=True, exist_ok=True)
        (source / place).write_text(page, encoding="utf-8")
    for file, place in files.items():
        (source / place).parent.mkdir(parents=True, exist_ok=True)
        if file.is_dir():
            shutil.copytree(file, source / place)
        else:
            shutil.copy(file, source / place)
    (source / "extra").mkdir()
    (source / "extra" / "llms.txt").write_text(llms(), encoding="utf-8")


def build(out: Path) -> int:
    """Make the site in a folder, and return sphinx's exit code."""
    from sphinx.cmd.build import main

    (DOCS / "llms.txt").write_text(llms(), encoding="utf-8")
    source = out.with_name(out.name + "-source")
    make_source(source)
    options = ["-q", "-W", "--keep-going", "-b", "html", "-c", str(Path(__file__).parent)]
    return main([*options, "-D", f"html_extra_path={source / 'extra'}", str(source), str(out)])


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1]).resolve()))
