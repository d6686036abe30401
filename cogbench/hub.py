"""The hub: whether it answers, and what its clients have cached or can fetch."""

import re
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import MissingData

if TYPE_CHECKING:
    from datasets import Dataset as HubDataset

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")  # the second only where there are none of the first
TOKENIZERS = ("tokenizer_config.json", "tokenizer.json", "vocab.txt", "vocab.json", "*.model")


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


def prepared(hub_id: str, config: str | None, split: str, revision: str) -> "HubDataset | None":
    """Return a split as load_dataset has prepared it at this very commit, or None.

    load_dataset itself asks the hub first whatever it is told, for half a minute if that is silent, and then takes
    whichever commit is there.
    """
    from datasets import Dataset, concatenate_datasets
    from datasets.config import HF_DATASETS_CACHE

    namespace, _, name = hub_id.partition("/")
    commits = Path(HF_DATASETS_CACHE).glob(f"{namespace}___*/{config or '*'}/*/{revision}")
    folders = [p for p in commits if _plain(p.parents[2].name) == _plain(f"{namespace}___{name}")]
    if len(folders) != 1:
        return None
    shard = re.compile(rf".*-{re.escape(split)}(-\d+-of-\d+)?")
    files = sorted(p for p in folders[0].glob("*.arrow") if shard.fullmatch(p.stem))
    return concatenate_datasets([Dataset.from_file(str(p)) for p in files]) if files else None


def _plain(name: str) -> str:
    """Return a data set's name without what the cache changes of it: `FineWeb` is `fine_web` there."""
    return name.replace("_", "").lower()


def snapshot(hub_id: str, revision: str | None, *, cached: bool) -> Path | None:
    """Return the folder of a model in the hub's cache: as it is there, or None, if `cached`; else downloaded."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    what, lacking = f"model {hub_id!r} at revision {revision or 'main'}", None
    for weights in WEIGHTS:
        wanted = ["*.json", "*.txt", "*.model", weights]
        try:
            folder = Path(snapshot_download(hub_id, revision=revision, allow_patterns=wanted, local_files_only=cached))
        except GatedRepoError as error:
            raise MissingData(f"{what} is gated: accept its terms on its page, then `hf auth login`.") from error
        except (RepositoryNotFoundError, RevisionNotFoundError) as error:
            raise MissingData(f"the hub has no {what}.") from error
        except Exception as error:  # a lost connection is an error of the client's HTTP library, of whatever kind
            if cached:
                return None
            raise MissingData(f"{what} could not be downloaded: {first_line(error)}") from error
        lacking = lacking_in(folder)
        if not lacking:
            return folder
    if cached:
        return None
    raise MissingData(f"{what} has no {lacking}.")


def lacking_in(folder: Path) -> str | None:
    """Return what a model's folder has no file of: its config, its tokenizer or its weights."""
    for what, patterns in {"config.json": ("config.json",), "tokenizer": TOKENIZERS, "weights": WEIGHTS}.items():
        if not any(any(folder.glob(pattern)) for pattern in patterns):
            return what if what in patterns else f"{what} ({', '.join(patterns)})"
    return None


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its kind."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
