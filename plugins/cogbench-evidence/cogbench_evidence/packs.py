"""The packs of this distribution, made by benchmarks/evidence_packs.py of cogbench."""

from collections.abc import Iterable
from pathlib import Path

from cogbench import Pack, hookimpl

FILES = Path(__file__).parent / "files"
DESCRIPTIONS = {
    "mini-minilm-2l": "synthetic: the planted tasks of suite mini on minilm-2l, with responses of the synthetic signal",
    "realtext-minilm-2l": "nine tasks of real text on minilm-2l, with features of their examples",
    "cogtaskonomy-minilm": "the paper's twelve tasks as sources on minilm, for four targets of free data",
    "cogtaskonomy-minilm-2l": "the paper's twelve tasks on minilm-2l, without features: not all licences allow them",
}


@hookimpl
def register_packs() -> Iterable[Pack]:
    """Add the packs."""
    return [Pack(name, str(FILES / f"{name}.safetensors"), text) for name, text in DESCRIPTIONS.items()]
