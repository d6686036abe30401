"""Evidence with small models: a transformer of random weights with the head of each kind of task, and its batches."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import transformers
from hypothesis import HealthCheck, settings

from cogbench import Card, TaskMatrix
from cogbench.compute.features import extract_features

F = np.array([[1.0, 0.0], [2.0, 1.0], [1.0, 1.0], [0.0, 2.0], [1.0, 3.0], [0.0, 3.0]])
Y = np.array([0, 0, 0, 1, 1, 1])
DEGENERATE = [  # features and answers of which no score is defined, and the reason
    (np.ones((6, 2)), Y, "all examples have the same features"),
    (F * np.nan, Y, "the features hold NaN or infinity"),
    (F, np.zeros(6, int), "all examples are of one class"),
    (F, np.arange(6), "no class has two examples"),
    (F[:1], Y[:1], "there are fewer than two examples"),
    (F, [0, 0, 1, 1, np.nan, np.nan], "an example has no label"),
    (F, [0, 0, 0, -100, -100, -100], "an example has no label"),
]

# A busy machine is slow, which is no fault of a test.
drawn_often = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])

WORDS, DIMS, LAYERS, PIECES = 40, 16, 2, 7


@dataclass
class Small:
    """Stands for Evidence: models and batches by task, `tuned=False` gives the model under None; it keeps all."""

    models: dict[Any, Any] = field(default_factory=dict)
    of: dict[str, list] = field(default_factory=dict)
    labels: dict[str, tuple] = field(default_factory=dict)
    cards: dict[str, Card] = field(default_factory=dict)
    words: dict[str, list] = field(default_factory=dict)
    matrices: dict[str, Any] = field(default_factory=dict)
    notes: list = field(default_factory=list)
    kept: dict = field(default_factory=dict)
    joined: dict = field(default_factory=dict)  # pieces, by their estimators and names
    details: dict = field(default_factory=dict)
    seed: int = 0

    @property
    def tasks(self):
        return tuple(self.of or self.cards or self.words or next(iter(self.matrices.values())).sources)

    sources = targets = tasks

    def model(self, task, *, tuned=True):
        return self.models[task if tuned else None]

    def batches(self, task, split, *, n=None, seed=0):
        return iter(self.of[task])

    def features(self, source, target, options):
        place = ("features", options, source, target)
        if place not in self.kept:
            self.kept[place] = extract_features(self.models[source], self.of[target], options)
        return self.kept[place]

    def texts(self, task, split, *, n=None, seed=0):
        return tuple(self.words[task])

    def represent(self, sentences):
        return torch.tensor([[float(len(s)), float(s.count("a"))] for s in sentences]).numpy()

    def pieces(self, estimator):
        canonical = getattr(estimator, "canonical", estimator)
        for name in estimator.pieces(self):
            if (canonical, name) not in self.joined:
                self.joined[canonical, name] = canonical.piece(self, name)
        return {name: self.joined[canonical, name] for name in estimator.pieces(self)}

    def similarity(self, member):
        return self.matrices[member.name]

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def detail(self, name, value):
        self.details[name] = value

    def fresh(self):
        """The same evidence, of which nothing was asked yet."""
        return Small(self.models, self.of, self.labels, self.cards, self.words, self.matrices)


def config(n_labels=2, problem=None):
    return transformers.BertConfig(
        vocab_size=WORDS,
        hidden_size=DIMS,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=32,
        num_labels=n_labels,
        problem_type=problem,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


def model_of(kind, n_labels=2, seed=0):
    torch.manual_seed(seed)
    name = {"tagging": "TokenClassification", "qa": "QuestionAnswering", "bare": ""}.get(kind, "SequenceClassification")
    problem = {
        "classes": "single_label_classification",
        "numbers": "regression",
        "passages": "multi_label_classification",
    }.get(kind)
    n = {"numbers": 1, "passages": 1, "qa": 2}.get(kind, n_labels)
    made = getattr(transformers, f"BertFor{name}" if name else "BertModel")(config(n, problem)).eval()
    with torch.no_grad():  # initial weights are small: hidden states would be nearly alike
        for p in made.parameters():
            p.mul_(4) if p.ndim > 1 else None
    return made


def batches_of(kind, n=12, n_labels=2, seed=0, size=4):
    rng = torch.Generator().manual_seed(seed)
    found = []
    for start in range(0, n, size):
        ids = torch.randint(4, WORDS, (size, PIECES), generator=rng)
        mask = torch.ones_like(ids)
        for i in range(size):
            mask[i, PIECES - i % 3 :] = 0
        batch = {"input_ids": ids * mask, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
        if kind == "classes":
            batch["labels"] = (torch.arange(size) + start) % n_labels
        elif kind == "numbers":
            batch["labels"] = torch.rand(size, generator=rng) * 5
        elif kind == "passages":
            batch["labels"] = ((torch.arange(size) + start) % 3 == 0).float()[:, None]
        elif kind == "tagging":
            tags = torch.randint(n_labels, (size, PIECES), generator=rng)
            tags[:, 0] = -100
            batch["labels"] = torch.where(mask == 1, tags, -100)
        elif kind == "qa":
            batch["start_positions"] = torch.randint(1, 3, (size,), generator=rng)
            batch["end_positions"] = torch.randint(3, 4, (size,), generator=rng)
        found.append(batch)
    return found


KINDS = {"classes": 2, "classes-3": 3, "numbers": 1, "tagging": 3, "qa": 2, "passages": 1}


def evidence_of_all_kinds():
    models, of, labels = {None: model_of("bare")}, {}, {}
    for i, (name, n_labels) in enumerate(KINDS.items()):
        kind = name.partition("-")[0]
        models[name] = model_of(kind, n_labels, seed=i + 1)
        of[name] = batches_of(kind, n_labels=n_labels, seed=i)
        labels[name] = () if kind in ("numbers", "qa", "passages") else tuple("abc"[:n_labels])
    return Small(models, of, labels)


def square(values, tasks="abc"):
    return TaskMatrix.square(tasks, values)


class Linear(torch.nn.Module):
    """Softmax regression, whose one hidden state is its input."""

    def __init__(self, weights):
        super().__init__()
        self.weights = torch.nn.Parameter(torch.tensor(weights, dtype=torch.float64))

    def forward(self, x, labels=None, output_hidden_states=False):
        state = x[:, None, :].clone().requires_grad_()
        return SimpleNamespace(logits=state[:, 0] @ self.weights, hidden_states=(x[:, None], state))
