"""Which weights of a model a training moves, and what its checkpoint holds: all of them, an adapter's, or a prompt."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from cogbench import Checkpoint, Settings, UnusableData

from .adapters import can_be_added, open_adapter, read_prompt
from .lora import lora_targets, save_lora, with_lora
from .pretrained import Pretrained
from .prompts import drawn_prompt, no_prompt_because, save_prompt, with_prompt
from .settings import Tuning
from .training import freeze


@dataclass(frozen=True)
class TuningMethod:
    """A tuning with its options, as a backbone has them.

    Parameters
    ----------
    tuning : {"full", "lora", "prompt"}
    lora_rank, lora_alpha : int
    lora_targets : tuple of str
    prompt_tokens : int

    Raises
    ------
    UnusableData
        If a number is too small.
    """

    tuning: Tuning = "full"
    lora_rank: int = 8
    lora_alpha: int = 16
    lora_targets: tuple[str, ...] = ()
    prompt_tokens: int = 20

    def __post_init__(self) -> None:
        for option, least in {"lora_rank": 1, "lora_alpha": 0, "prompt_tokens": 1}.items():
            if getattr(self, option) < least:
                raise UnusableData(f"{option}={getattr(self, option)}; expected {least} or more.")

    def refuse_idle(self, backbone: str) -> None:
        """Raise UnusableData if an option is set that only another tuning has."""
        for option in fields(self):
            tuning = option.name.partition("_")[0]
            if tuning not in ("tuning", self.tuning) and getattr(self, option.name) != option.default:
                raise UnusableData(
                    f"backbone {backbone!r}: {option.name} says nothing with tuning={self.tuning}; take "
                    f"tuning={tuning}, or leave it out."
                )

    def impossible_because(self, pretrained: Pretrained, kind: str) -> str | None:
        """Return why a model cannot be tuned so on a kind of task, or None if it can."""
        if self.tuning == "full":
            return None
        outline = pretrained.outline_with_head(kind)
        if self.tuning == "prompt":
            if pretrained.positions and self.prompt_tokens > pretrained.positions // 2:
                return (
                    f"it reads {pretrained.positions} pieces, and prompt_tokens={self.prompt_tokens} take most of them"
                )
            return no_prompt_because(outline)
        targets = lora_targets(outline, self.lora_targets)
        names = [name for name, _ in outline.base_model.named_modules()]
        for target in targets if isinstance(targets, list) else ():
            if not any(name == target or name.endswith(f".{target}") for name in names):
                return f"it has no layer {target!r} for LoRA; name others in lora_targets"
        return None

    def prepare(
        self, model: Any, pretrained: Pretrained, settings: Settings, seed: int, start: Checkpoint | None = None
    ) -> Any:
        """Return a model with a fresh head of which those weights can be trained that the tuning moves."""
        if self.tuning == "full":
            return model
        head = pretrained.head_modules(model)
        if self.tuning == "lora":
            model = with_lora(
                model,
                rank=self.lora_rank,
                alpha=self.lora_alpha,
                targets=self.lora_targets,
                head=head,
                seed=seed if start is None else 2**31 + seed,
            )
        else:
            prompt = drawn_prompt(model, self.prompt_tokens, seed) if start is None else read_prompt(start.folder)
            model.requires_grad_(False)
            for name in head:
                model.get_submodule(name).requires_grad_(True)
            model = with_prompt(model, prompt)
        if _on_base(start):
            freeze(model, settings)
        return model

    def keep(
        self,
        model: Any,
        pretrained: Pretrained,
        out: Path,
        base: tuple[str | None, str | None],
        start: Checkpoint | None = None,
    ) -> Any:
        """Save a trained adapter, and return the model that its folder stands for: in single precision, and merged.

        `base` is the hub id of the pre-trained model, None where it has none, and its revision. Where all weights were
        trained, before or now, nothing is saved: the model is a whole one.
        """
        if self.tuning == "full":
            return model
        if self.tuning == "prompt":
            save_prompt(model, out, base=base, head=pretrained.head_modules(model))
        elif _on_base(start):
            save_lora(model, out, base=base, start=start.folder if start else None)
        else:  # the weights that it started from are not the base's
            return model.merge_and_unload()
        return open_adapter(out, pretrained)


def _on_base(start: Checkpoint | None) -> bool:
    """Whether a training begins with the weights of the pre-trained model, or with these and an adapter of them."""
    return start is None or can_be_added(start.folder)
