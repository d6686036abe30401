"""What makes two parts the same: their changed options and their code. Keys of cells are made of it.

The code of a part is the hash of a syntax tree: comments, docstrings and layout change nothing, a changed expression
does. A class that states `answers`, a whole number, is told apart by that number instead.
"""

import ast
import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module, metadata
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

from ..errors import CogbenchError, UnknownName
from .codec import DRAWN_ALIKE, FORMER_CODE, HARNESS, encode, with_public_names


@cache
def distributions() -> dict[str, dict[str, dict[str, list[str]]]]:
    """Return what this repository's other distributions bring, by their names.

    "parts" has the names of the parts of each kind, "files" the endings of the files that parts of a kind read.
    """
    content: dict[str, dict[str, dict[str, list[str]]]] = json.loads(
        Path(__file__).with_name("distributions.json").read_text()
    )
    return content


def unknown_part(kind: str, name: str, names: Iterable[str], faults: Sequence[str] = ()) -> UnknownName:
    """Return the error for a part that is not installed; the message names the distribution of a known part.

    It ends with the first three `faults` that keep parts of plugins away.
    """
    for distribution, content in distributions().items():
        if name in content["parts"].get(kind, ()):
            return UnknownName(f"unknown {kind} {name!r}: it comes with {_not_loaded(distribution)}")
    error = UnknownName.of(kind, name, names)
    because = "; ".join(fault.rstrip(".") for fault in faults[:3])
    return UnknownName(f"{error} But {because}.") if faults else error


def refuse_files_of_others(kind: str, address: str) -> None:
    """Raise UnknownName if a distribution that is not loaded reads such a file; the message names it."""
    for distribution, content in distributions().items():
        if address.lower().endswith(tuple(content.get("files", {}).get(kind, ()))):
            raise UnknownName(f"{kind} {address!r}: such files are read by {_not_loaded(distribution)}")


def _not_loaded(distribution: str) -> str:
    install = f"install it in a checkout of cogbench: `pip install -e . -e plugins/{distribution}`"
    return f"the distribution {distribution}, which is not loaded; {install}."


def load_failure(error: BaseException) -> str:
    """Return why a plugin does not load, with a hint where it may be written for another version of cogbench."""
    message = " ".join(str(error).split())
    if isinstance(error, CogbenchError):
        return message
    hint = version_hint() if isinstance(error, ImportError | TypeError | AttributeError) else ""
    return f"{type(error).__name__}: {message}{hint}"


def version_hint() -> str:
    """Return what may be wrong with a plugin that misses a name of cogbench, or lacks one itself."""
    return f" (is it written for another version of cogbench than {harness_version()}? CHANGELOG.md says what changed)"


class Fingerprints:
    """Identities of parts. The code of a class is read once, so that a process stays the code that it has loaded."""

    def __init__(self) -> None:
        self._codes: dict[type, dict[str, Any]] = {}

    def identity(self, part: Any, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Return all that changes a part's answers: its class, the fields that are not at their default, its code.

        Parts among the fields are identified in the same way; fields named in `without` are left out. The code of the
        harness, such as a card's, is not hashed: the harness's version stands in each key.
        """
        fields = {
            field.name: self._plain(value)
            for field in dataclasses.fields(part)
            if field.init and field.name not in without and not _is_default(field, value := getattr(part, field.name))
        }
        code = {} if is_of_harness(type(part)) else {"code": self.code(type(part))}
        return {"is": class_name(type(part)), **fields, **code}

    def code(self, cls: type) -> dict[str, Any]:
        """Return a class's distribution, and what its code is: `answers`, or the distribution's version and a hash.

        The hash covers the module of the class, the modules of the same package that it imports, and those that they
        import: a change of a helper changes the answer as much as a change of the part.
        """
        if cls not in self._codes:
            self._codes[cls] = _code(cls)
        return self._codes[cls]

    def _plain(self, value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self.identity(value)
        return [self._plain(v) for v in value] if isinstance(value, tuple) else encode(value)


def identity(part: Any) -> dict[str, Any]:
    """Return all that changes a part's answers, its code read anew."""
    return Fingerprints().identity(part)


def class_name(cls: type) -> str:
    """Return a class's name in keys: its distribution's name, not its module's, so that it survives a move."""
    module = cls.__module__.replace("__mp_main__", "__main__")  # as a script's own workers call the script
    owner = HARNESS if is_of_harness(cls) else distribution_of(module) or module
    return f"{owner}:{cls.__qualname__}"


def is_of_harness(cls: type) -> bool:
    """Whether a class is cogbench's own, whose code stands in no key."""
    return cls.__module__.partition(".")[0] == HARNESS


def harness_version() -> str | None:
    """Return the version of cogbench, None where it is not installed."""
    distribution = distribution_of(HARNESS)
    return metadata.version(distribution) if distribution else None


def distribution_of(module: str) -> str | None:
    """Return the name of the installed distribution that a module's package belongs to, or None."""
    return _distributions().get(module.partition(".")[0])


def upgraded(identity: Any) -> Any:
    """Return the identity of a part that an oracle was measured with in today's form, so that seeds can be merged.

    Trainings that are other draws of today's ones, by the table `DRAWN_ALIKE`, count as today's.
    """
    return _drawn_alike(_in_todays_form(identity))


def _drawn_alike(identity: Any) -> Any:
    if isinstance(identity, list):
        return [_drawn_alike(value) for value in identity]
    if not isinstance(identity, dict):
        return identity
    values = {key: _drawn_alike(value) for key, value in identity.items()}
    code, numbers = values.get("code"), DRAWN_ALIKE.get(str(values.get("is")), {})
    if isinstance(code, dict) and isinstance(code.get("answers"), int):
        values["code"] = {**code, "answers": numbers.get(code["answers"], code["answers"])}
    return values


def _in_todays_form(identity: Any) -> Any:
    """Return an identity that cogbench 0.1.0 wrote in today's form; one of today as it is.

    0.1.0 wrote modules, all fields, and a hash of the bytes of the code. That hash stands for today's code if the table
    of former code has it, or if the bytes have not changed since. Only modules of installed plugins are imported.
    """
    if isinstance(identity, list):
        return [_in_todays_form(value) for value in identity]
    if not isinstance(identity, dict) or "is" not in identity:
        return identity
    module, _, name = str(identity["is"]).partition(":")
    if "." not in module or distribution_of(module) is None or module.startswith(f"{HARNESS}."):
        return with_public_names(identity)
    try:
        cls = getattr(import_module(module), name)
        defaults = {field.name: field for field in dataclasses.fields(cls)}
    except (ImportError, AttributeError, TypeError):  # the plugin has no such class any more
        return identity
    fields = {
        key: _in_todays_form(value)
        for key, value in identity.items()
        if key in defaults and not _is_encoded_default(defaults[key], value)
    }
    return {"is": class_name(cls), **fields, "code": _upgraded_code(cls, identity.get("code", {}))}


def syntax_sha256(source: bytes) -> str:
    """Return the hash of a module's syntax tree, without positions, empty fields and docstrings.

    `ast.unparse` and `ast.dump` differ between versions of Python; this dump is the same on 3.11, 3.12 and 3.13.
    """
    return hashlib.sha256(_dump(ast.parse(source)).encode()).hexdigest()


def _dump(node: Any) -> str:
    if isinstance(node, list):
        return f"[{','.join(map(_dump, node))}]"
    if isinstance(node, ast.Constant):
        return f"Constant({type(node.value).__name__}:{node.value!r})"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = dict(ast.iter_fields(node))
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
        fields["body"] = fields["body"][1:]
    if isinstance(node, ast.JoinedStr):
        fields["values"] = _joined(fields["values"])
    filled = [f"{name}={_dump(value)}" for name, value in fields.items() if value is not None and value != []]
    return f"{type(node).__name__}({','.join(filled)})"


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """Return the pieces of an f-string with adjacent texts as one: versions of Python cut them in other places."""
    pieces: list[ast.expr] = []
    for value in values:
        last = pieces[-1] if pieces else None
        if isinstance(value, ast.Constant) and isinstance(last, ast.Constant):
            pieces[-1] = ast.Constant(str(last.value) + str(value.value))
        else:
            pieces.append(value)
    return [p for p in pieces if not (isinstance(p, ast.Constant) and p.value == "")]


def _code(cls: type) -> dict[str, Any]:
    distribution = distribution_of(cls.__module__)
    answers = vars(cls).get("answers")  # stated by the class itself: what a subclass changes must not hide behind it
    if isinstance(answers, int):
        return {"distribution": distribution, "answers": answers}
    hashes = sorted(syntax_sha256(path.read_bytes()) for path in _sources(cls.__module__))
    # A class typed in by hand has no source that says whether it is still the same, so its cells are never reused.
    unknown = f"process {os.getpid()}, class {id(cls)}"
    version = metadata.version(distribution) if distribution else None
    return {"distribution": distribution, "version": version, "sha256": _short_hash(hashes) if hashes else unknown}


def _short_hash(hashes: list[str]) -> str:
    return hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]


def _upgraded_code(cls: type, code: Mapping[str, Any]) -> dict[str, Any]:
    digest = code.get("sha256")
    if digest in FORMER_CODE:
        return {"distribution": code.get("distribution"), "answers": FORMER_CODE[digest]}
    paths = sorted(_sources(cls.__module__))
    of_bytes = _short_hash([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths])
    return _code(cls) if digest == of_bytes else dict(code)


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    """Whether a field is at its default; a part among the fields never counts as such, for its code may change."""
    if _holds_parts(value):
        return False
    default = _default(field)
    return type(value) is type(default) and bool(value == default)


def _is_encoded_default(field: dataclasses.Field[Any], value: Any) -> bool:
    default = _default(field)
    return default is not dataclasses.MISSING and not _holds_parts(default) and bool(encode(default) == value)


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _holds_parts(value: Any) -> bool:
    if isinstance(value, tuple):
        return any(map(_holds_parts, value))
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _sources(module: str) -> set[Path]:
    """Return the files of a module and of the modules of its own package that it stands on."""
    files: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if path is not None and name not in files:
            files[name] = path
            waiting += _imports(name, path, path.stat().st_mtime_ns)
    return set(files.values())


def _file(module: str) -> Path | None:
    try:
        spec = find_spec(module)
        origin = spec.origin if spec else None
    except (ImportError, ValueError):  # a script, or a module made by hand
        origin = getattr(sys.modules.get(module), "__file__", None)
    return Path(origin) if origin and origin.endswith(".py") and Path(origin).is_file() else None


@cache
def _imports(module: str, path: Path, changed: int) -> tuple[str, ...]:
    """Return the modules of its own package that a module imports; `changed` is its file's time, for the cache."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    own = f"{module.partition('.')[0]}."
    return tuple(name for name in _named(ast.parse(path.read_bytes()), package) if name.startswith(own))


def _named(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (package or not node.level):
            base = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module or ""
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


@cache
def _distributions() -> Mapping[str, str]:
    # By entry points: metadata.packages_distributions() does not see the packages of an editable install.
    points = (*metadata.entry_points(group="console_scripts"), *metadata.entry_points(group="cogbench"))
    return {e.module.partition(".")[0]: e.dist.metadata["Name"] for e in points if e.dist}
