"""The ways of masking: random and whole-word are transformers' own collator, the others draw masks by difficulty."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from .difficulty import Controller, Difficulty, level_of_random, mask_probabilities

if TYPE_CHECKING:
    from torch import Tensor

Masking = Literal["random", "whole-word", "adaptive", "curriculum"]
MASKINGS: tuple[Masking, ...] = get_args(Masking)
Trace = dict[str, list[float]]


class OfTransformers:
    """Masks as transformers' collator draws them, of tokens or of whole words; it learns nothing."""

    def __init__(self, tokenizer: Any, share: float, seed: int, *, whole_words: bool) -> None:
        from transformers import DataCollatorForLanguageModeling

        # With whole words the collator puts a mask in the place of every chosen token.
        only_masks: dict[str, Any] = {"mask_replace_prob": 1.0, "random_replace_prob": 0.0} if whole_words else {}
        self.collator = seeded(
            DataCollatorForLanguageModeling(
                tokenizer, mlm_probability=share, whole_word_mask=whole_words, seed=seed, **only_masks
            )
        )
        self.whole_words, self.trace = whole_words, Trace(loss=[])

    def __call__(self, rows: Sequence[Any]) -> "dict[str, Tensor]":
        """Return a batch of rows with masks."""
        return dict(self.collator(with_padded_offsets(rows) if self.whole_words else without_offsets(rows)))

    def learn(self, labels: "Tensor", logits: "Tensor", loss: float) -> None:
        """Hear of a step."""
        self.trace["loss"].append(loss)


class ByDifficulty:
    """Masks of a difficulty that changes from step to step; what stands in a masked place is the collator's affair.

    Parameters
    ----------
    tokenizer
        Of transformers.
    share : float
        Of the tokens that are masked.
    seed : int
        Of the masks.
    controller : Controller, optional
        Says the level of difficulty from the losses.
    steps : int
        Without a controller the level rises evenly from 0 to 1 over so many batches.
    """

    def __init__(self, tokenizer: Any, share: float, seed: int, *, controller: Controller | None, steps: int) -> None:
        self.share, self.controller, self.steps = share, controller, steps
        self.difficulty = Difficulty(len(tokenizer))
        self.collator = _collator(tokenizer, seed, self._probabilities)
        self.n_batches, self.trace = 0, Trace(loss=[], target=[])

    def __call__(self, rows: Sequence[Any]) -> "dict[str, Tensor]":
        """Return a batch of rows with masks."""
        return dict(self.collator(without_offsets(rows)))

    def learn(self, labels: "Tensor", logits: "Tensor", loss: float) -> None:
        """Hear of a step: how hard each masked token was for the model."""
        self.trace["loss"].append(loss)
        if len(labels):
            right = (logits.gather(1, labels[:, None])[:, 0] - logits.logsumexp(1)).exp()
            self.difficulty.learn(labels.cpu().numpy(), 1 - right.double().cpu().numpy())
        if self.controller:
            self.controller.learn(loss)

    def _probabilities(self, tokens: np.ndarray) -> np.ndarray:
        """Return the probability of each token (n_tokens,) of a batch to be masked."""
        difficulties = self.difficulty.of(tokens)
        if self.controller:
            self.controller.start_at(level_of_random(difficulties, self.share))
            level = self.controller.level
        else:
            level = min(1.0, self.n_batches / max(1, self.steps - 1))
        self.n_batches += 1
        probabilities, target = mask_probabilities(difficulties, self.share, level)
        self.trace["target"].append(target)
        return probabilities


def _collator(tokenizer: Any, seed: int, probabilities: Callable[[np.ndarray], np.ndarray]) -> Any:
    """Return transformers' collator that masks tokens with probabilities of its own for each."""
    import torch
    from transformers import DataCollatorForLanguageModeling

    class Collator(DataCollatorForLanguageModeling):
        def torch_mask_tokens(
            self, inputs: Any, special_tokens_mask: Any = None, offset_mapping: Any = None
        ) -> "tuple[Tensor, Tensor]":
            free = ~special_tokens_mask.bool()
            chances = torch.zeros(inputs.shape)
            if free.any():
                chances[free] = torch.tensor(probabilities(inputs[free].numpy()), dtype=torch.float32)
            chosen = torch.bernoulli(chances, generator=self.generator).bool()
            # The collator masks every token that is not special: what was not chosen counts as special.
            masked: tuple[Tensor, Tensor] = super().torch_mask_tokens(inputs, special_tokens_mask=~chosen)
            return masked

    return seeded(Collator(tokenizer, mlm_probability=1.0, seed=seed))


def seeded(collator: Any) -> Any:
    """Return transformers' collator with the random numbers of its seed.

    By itself it makes them in a main process alone, and in another one looks for a loader of several processes.
    """
    collator.generator = collator.get_generator(collator.seed)
    return collator


def without_offsets(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Return rows without the places of their pieces, which no collator pads."""
    return [{name: value for name, value in row.items() if name != "offset_mapping"} for row in rows]


def with_padded_offsets(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Return rows whose places of pieces are as many as the longest has; the collator pads all else by itself."""
    longest = max(len(row["offset_mapping"]) for row in rows)
    return [
        {**row, "offset_mapping": [*row["offset_mapping"], *[(0, 0)] * (longest - len(row["offset_mapping"]))]}
        for row in rows
    ]
