"""The hub: whether it answers, what its clients have cached or can fetch, and the files of a split in its layout."""

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import MissingData, UnusableData
from ..storage.origin import Origin
from ..tables.options import ending_of
from ..tables.reading import read_table
from ..tables.rows import Rows
from ..text import first_line

if TYPE_CHECKING:
    from datasets import Dataset as HubDataset

ADAPTER = "adapter_config.json"  # of PEFT: the folder holds no model, but an adapter of one
WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "adapter_model.bin")  # each only where there are none before it
TOKENIZERS = ("tokenizer_config.json", "tokenizer.json", "vocab.txt", "vocab.json", "*.model")
CARD = "README.md"  # states a model's licence
COMMIT = re.compile("[0-9a-f]{40}")
SHARD = re.compile(r".*-\d+-of-(\d+)")


def reachable(endpoint: str) -> bool:
    """Whether a server answers there within five seconds; asked at most once a minute."""
    return _answers(endpoint, int(time.monotonic() // 60))


@lru_cache(maxsize=1)
def _answers(endpoint: str, minute: int) -> bool:
    from http.client import HTTPException
    from ssl import SSLError
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    try:
        urlopen(Request(endpoint, method="HEAD"), timeout=5).close()
    except HTTPError:  # an answer all the same
        return True
    except (OSError, ValueError, HTTPException) as error:
        # The hub's client brings certificates of its own: let it find out about those.
        return isinstance(getattr(error, "reason", None), SSLError)
    return True


@lru_cache(maxsize=64)
def commit_of(hub_id: str, revision: str) -> str:
    """Return the commit that a branch or tag of a data set is now: the hub is asked once, its client remembers it.

    Raises
    ------
    MissingData
        If the hub has no such data set or revision, or breaks off and the client remembers nothing.
    """
    from huggingface_hub import snapshot_download

    with _one_line(f"data set {hub_id!r} at revision {revision}", "could not be looked up"):
        return Path(snapshot_download(hub_id, repo_type="dataset", revision=revision, allow_patterns=[CARD])).name


def remembered(hub_id: str, config: str | None, split: str, revision: str) -> str | None:
    """Return the commit that stands for a branch or tag without the hub.

    That is the one it last was, as far as its client knows, if this is prepared; else the newest prepared one.
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    folders = [f for f in _preparations(hub_id, config, "*") if _arrows(f, split)]
    commits = {f.name for f in folders}
    last = Path(HF_HUB_CACHE, f"datasets--{hub_id.replace('/', '--')}", "refs", revision)
    if last.is_file() and last.read_text().strip() in commits:
        return last.read_text().strip()
    return max(folders, key=lambda f: f.stat().st_mtime_ns).name if folders else None


def prepared(hub_id: str, config: str | None, split: str, commit: str) -> "HubDataset | None":
    """Return a split as load_dataset has prepared it at this very commit, or None.

    load_dataset itself asks the hub first whatever it is told, for half a minute if that is silent, and then takes
    whichever commit is there.
    """
    from datasets import Dataset, concatenate_datasets

    folders = _preparations(hub_id, config, commit)
    files = _arrows(folders[0], split) if len(folders) == 1 else []
    return concatenate_datasets([Dataset.from_file(str(p)) for p in files]) if files else None


def occupied(folder: Path) -> int:
    """Return the bytes of a prepared data set on disk, with what was downloaded for it into the hub's cache."""
    info = folder / "dataset_info.json"
    downloaded = json.loads(info.read_text()).get("download_size") if info.is_file() else 0
    return sum(p.stat().st_size for p in folder.iterdir()) + (downloaded or 0)


def _preparations(hub_id: str, config: str | None, commit: str) -> list[Path]:
    """Return the folders of load_dataset's cache with a data set at a commit, or at any for `*`."""
    from datasets.config import HF_DATASETS_CACHE

    namespace, _, name = hub_id.partition("/")
    folders = Path(HF_DATASETS_CACHE).glob(f"{namespace}___*/{config or '*'}/*/{commit}")
    wanted = _plain(f"{namespace}___{name}")
    return [f for f in folders if COMMIT.fullmatch(f.name) and _plain(f.parents[2].name) == wanted]


def _arrows(folder: Path, split: str) -> list[Path]:
    shard = re.compile(rf".*-{re.escape(split)}(-\d+-of-\d+)?")
    return sorted(p for p in folder.glob("*.arrow") if shard.fullmatch(p.stem))


def _plain(name: str) -> str:
    """Return a data set's name without what the cache changes of it: `FineWeb` is `fine_web` there."""
    return name.replace("_", "").lower()


def cached_files(hub_id: str, names: Sequence[str], commit: str) -> list[Path] | None:
    """Return these files of a data set as the hub's cache has them at this commit; None unless it has all of them."""
    from huggingface_hub import try_to_load_from_cache

    paths = [try_to_load_from_cache(hub_id, name, revision=commit, repo_type="dataset") for name in names]
    return [Path(path) for path in paths if isinstance(path, str)] if all(isinstance(p, str) for p in paths) else None


def download_files(hub_id: str, names: Sequence[str], commit: str) -> list[Path]:
    """Return these files of a data set at this commit, downloaded into the hub's cache."""
    from huggingface_hub import hf_hub_download

    with _one_line(f"data set {hub_id!r} at revision {commit}", "could not be downloaded"):
        return [Path(hf_hub_download(hub_id, name, revision=commit, repo_type="dataset")) for name in names]


def snapshot(hub_id: str, revision: str | None, *, cached: bool) -> Path | None:
    """Return the folder of a model in the hub's cache: as it is there, or None, if `cached`; else downloaded."""
    from huggingface_hub import snapshot_download

    what, lacking = f"model {hub_id!r} at revision {revision or 'main'}", None
    for weights in WEIGHTS:
        wanted = ["*.json", "*.txt", "*.model", weights, *([] if cached else [CARD])]
        try:
            with _one_line(what, "could not be downloaded"):
                done = snapshot_download(hub_id, revision=revision, allow_patterns=wanted, local_files_only=cached)
        except MissingData:
            if not cached:
                raise
            continue
        lacking = lacking_in(Path(done))
        if not lacking:
            return Path(done)
    if cached:
        return None
    raise MissingData(f"{what} has no {lacking}.")


@contextmanager
def _one_line(what: str, failed: str) -> Iterator[None]:
    """Raise whatever the hub's client raises as one MissingData."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        yield
    except GatedRepoError as error:
        raise MissingData(f"{what} is gated: accept its terms on its page, then `hf auth login`.") from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise MissingData(f"the hub has no {what}.") from error
    except Exception as error:  # a lost connection is an error of the client's HTTP library, of whatever kind
        raise MissingData(f"{what} {failed}: {first_line(error)}") from error


def lacking_in(folder: Path) -> str | None:
    """Return what a model's folder has no file of: its config, its tokenizer or its weights; of an adapter, weights."""
    needed = {"config.json": ("config.json",), "tokenizer": TOKENIZERS, "weights": WEIGHTS}
    if (folder / ADAPTER).is_file():
        needed = {"weights": ("adapter_model.safetensors", "adapter_model.bin")}
    for what, patterns in needed.items():
        if not any(any(folder.glob(pattern)) for pattern in patterns):
            return what if what in patterns else f"{what} ({', '.join(patterns)})"
    return None


def licence(card: Path) -> str:
    """Return the licence that a model's card states; empty if there is no card, or it states none."""
    from huggingface_hub import metadata_load

    try:
        stated = (metadata_load(card) or {}).get("license") or ""
        return ", ".join(map(str, stated)) if isinstance(stated, list) else str(stated)
    except Exception:  # no card, or one that is no YAML: nothing is known, which is no fault of a run
        return ""


def split_files(folder: Path, split: str) -> list[Path]:
    """Return the files of a split: one table, or all its shards, in their order."""
    files = sorted(p for p in folder.glob(f"{split}*") if ending_of(p) and _is_split(p, split))
    if len({(ending_of(p), _stem(p) == split) for p in files}) > 1:
        names = ", ".join(p.name for p in files)
        raise UnusableData(f"{str(folder)!r} holds the split {split!r} more than once: {names}; leave one of them.")
    promised = {int(match[1]) for p in files if (match := SHARD.fullmatch(_stem(p)))}
    if promised and promised != {len(files)}:
        names = ", ".join(p.name for p in files)
        raise MissingData(f"{str(folder)!r} holds {len(files)} of {max(promised)} files of {split!r}: {names}.")
    return files


def _is_split(path: Path, split: str) -> bool:
    """Whether a file name means this split: `train.csv`, `train-00000-of-00002.parquet`, but not `train_old.csv`."""
    return _stem(path) == split or _stem(path).startswith(f"{split}-")


def _stem(path: Path) -> str:
    return path.name[: -len(ending_of(path))]


def joined(files: Sequence[Path], origin: Origin, what: str, read: Callable[[Path], Rows] = read_table) -> Rows:
    """Return the rows of all shards, one after the other; they must have the same columns."""
    first, *others = (read(p) for p in files)
    for part in others:
        if {*part.columns} != {*first.columns}:
            raise UnusableData(
                f"{part.origin.id!r} has the columns {', '.join(part.columns)}, but {first.origin.id!r} has "
                f"{', '.join(first.columns)}: shards of one split have the same."
            )
    if not others:
        return first._replace(origin=origin, what=what)
    columns = {name: [v for part in (first, *others) for v in part.columns[name]] for name in first.columns}
    return Rows({**columns}, first.names, origin=origin, what=what, notes=first.notes)
