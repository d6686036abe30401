"""The settings of a training: learning rate, epochs, batch size, by the kind of task, the model and the examples."""

import math
from dataclasses import replace
from typing import Any, Literal

from cogbench import Settings, UnusableData

from .heads import HEADS
from .training import fast_precision

Size = Literal["base", "small", "tiny"]
Tuning = Literal["full", "lora", "prompt"]

# Table 4 of the paper, for full data on BERT and TinyBERT; the schedule is BERT's, for the table states none, and so
# are the 384 pieces of a question with its context.
FULL = {
    **dict.fromkeys(HEADS, Settings(epochs=3, batch_size=32, learning_rate=2e-5, warmup=0.1)),
    "extractive-qa": Settings(epochs=3, batch_size=16, learning_rate=3e-5, warmup=0.1, max_length=384),
    "reranking": Settings(epochs=1, batch_size=8, learning_rate=2e-5, warmup=0.1),
    "relation": Settings(epochs=50, batch_size=64, learning_rate=3e-5, warmup=0.1),
}
# At those settings a few hundred examples, or a small model, learn nothing: with less than some hundred steps at 2e-5
# every task stays the pre-trained model. So small samples and small models take larger steps and, on few examples, more
# epochs. Chosen on whether real tasks are learned above the trivial answer, never on the score of a ranking.
FEW = {
    "base": Settings(epochs=5, batch_size=16, learning_rate=5e-5, warmup=0.1, min_steps=300),
    "small": Settings(epochs=3, batch_size=16, learning_rate=1e-4, warmup=0.1, min_steps=190),
    "tiny": Settings(epochs=3, batch_size=16, learning_rate=3e-4, warmup=0.1, min_steps=110),
}
# How many times larger the steps are where few weights move, chosen on whether a real task is learned (docs/models.md).
RATES: dict[Tuning, float] = {"full": 1, "lora": 10, "prompt": 30}
FULL_DATA = 2_490  # examples: as many as the smallest of the paper's tasks has, RTE


LEAST = {"epochs": 1, "min_steps": 0, "batch_size": 1, "accumulation": 1, "layers": 1, "max_length": 8}


def refuse_senseless(options: Any) -> None:
    """Raise UnusableData if a number that replaces a setting is too small, or no number.

    `options` has the settings as attributes; None leaves one as it is.
    """
    for option, least in LEAST.items():
        value = getattr(options, option)
        if value is not None and value < least:
            raise UnusableData(f"{option}={value}; expected {least} or more.")
    rate = options.learning_rate
    if rate is not None and not 0 < rate < math.inf:
        raise UnusableData(f"learning_rate={rate}; expected a number above 0.")


def usual_settings(kind: str, n_examples: int, size: Size, *, paper: bool, tuning: Tuning = "full") -> Settings:
    """Return the paper's Table 4 for full data, and settings that teach for few examples or a small model.

    Parameters
    ----------
    kind : str
        The kind of task.
    n_examples : int
        How many training examples there are.
    size : {"base", "small", "tiny"}
        How large the model is: a small or tiny model is always trained as on few examples.
    paper : bool
        The paper's settings, whatever the size and the number of examples.
    tuning : {"full", "lora", "prompt"}
        Which weights move.
    """
    full, few = FULL[kind], FEW[size]
    if paper or (size == "base" and n_examples >= FULL_DATA):
        usual = full
    else:  # what the paper reads once, such as ten passages a query, is many rows an example: once here too
        usual = replace(few, max_length=full.max_length, epochs=1 if full.epochs == 1 else few.epochs)
    return replace(usual, learning_rate=usual.learning_rate * RATES[tuning], precision=fast_precision())
