"""Tokenizers that checkpoints of one base share: each is opened once, and not once a folder."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from .training import transformers

# Files by which checkpoints of one base differ, and which no tokenizer reads.
NO_WORDS = {".md", ".safetensors", ".bin", ".pt", ".h5", ".msgpack", ".onnx", "config.json", "generation_config.json"}
NO_WORDS |= {"trainer_state.json", "model.safetensors.index.json", "pytorch_model.bin.index.json", ".gitattributes"}


class Words:
    """A folder by what its tokenizer is read from: checkpoints of one base are equal, and share a tokenizer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        paths = sorted(p for p in folder.iterdir() if p.suffix not in NO_WORDS and p.name not in NO_WORDS)
        config = json.loads((folder / "config.json").read_text()) if (folder / "config.json").is_file() else {}
        named = [config.get(key) for key in ("model_type", "tokenizer_class")]
        files = [(p.name, hashlib.sha256(p.read_bytes()).hexdigest()) for p in paths if p.is_file()]
        self._key = repr((named, files if files else folder))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Words) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=8)
def tokenizer_of(words: Words) -> Any:
    """Return the tokenizer of a folder as transformers opens it; the last few are remembered."""
    return transformers().AutoTokenizer.from_pretrained(words.folder, trust_remote_code=False)


@lru_cache(maxsize=256)
def vocabulary_of(words: Words) -> str:
    """Return a hash of all words with their numbers."""
    return hashlib.sha256(repr(sorted(tokenizer_of(words).get_vocab().items())).encode()).hexdigest()


@lru_cache(maxsize=256)
def largest_token(words: Words) -> int:
    """Return the largest number of a token."""
    return max(tokenizer_of(words).get_vocab().values(), default=0)
