"""Distillation: what is compared is what the method says, and the true answers stay out of it."""

import sys
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cogbench_backbones import augment, losses, training
from cogbench_backbones.distill import Distilled, register_backbones
from cogbench_backbones.heads import IGNORED, batch, encoded, row
from cogbench_backbones.huggingface import HuggingFace
from scipy.special import expit, log_softmax, softmax
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    BertTokenizer,
    DistilBertConfig,
)
from transformers import DistilBertModel as DistilBert

from cogbench import Dataset, Files, Origin, Recipe, Settings, Store, UnusableData, load_parts
from cogbench.compute.cells import Training
from cogbench.compute.workspace import Workspace
from cogbench.parts.set_options import varied
from cogbench.testing import check_backbone
from cogbench.testing.toys import NOUNS, TASKS, WORDS

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from distillation import measured

FILES = Files(offline=True)
KNOWN = {b.name: b for b in register_backbones()}
FEW = Settings(epochs=1, batch_size=16, learning_rate=1e-3)
VOCABULARY = "[PAD] [UNK] [CLS] [SEP] [MASK] the is like @ # . , un ##like ##ly".split() + [*WORDS, *NOUNS]


def saved(folder, model=BertModel, *, layers=4, width=16, heads=2, words=VOCABULARY, seed=0):
    """Make a folder of a small random BERT with its tokenizer, and return it as a backbone."""
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=2 * width,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
    torch.manual_seed(seed)
    model(config).save_pretrained(folder)
    BertTokenizer({w: i for i, w in enumerate(words)}, model_max_length=64).save_pretrained(folder)
    return HuggingFace(folder.name, str(folder), size="tiny")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A student of 2 layers with a teacher of 4 and another width, which can also fill in masked words."""
    folder = tmp_path_factory.mktemp("models")
    teacher = saved(folder / "teacher", BertForMaskedLM, width=24)
    return Distilled("small", saved(folder / "student", layers=2, seed=1), teacher)


@dataclass(frozen=True)
class Given:
    """A task with these data."""

    dataset: Dataset
    name: str = "given"

    kind = property(lambda self: self.dataset.kind)

    def load(self, split, files):
        return self.dataset


def dataset(kind, labels=(), **columns):
    return Dataset(kind, columns, labels, Origin("here"))


def of_kind(kind):
    """Return a few examples of a kind of task."""
    texts = ["the red dog is like the cold cat", "the house is warm", "the dog , the unlikely cat", "like the letter"]
    labels = tuple("abc")
    return {
        "classification": lambda: dataset(kind, labels, text=texts, text_pair=texts[::-1], label=[0, 1, 2, 1]),
        "regression": lambda: dataset(kind, text=texts, label=[0.0, 1.0, 2.0, 1.0]),
        "relation": lambda: dataset(
            kind,
            ("A(e1,e2)", "Other"),
            text=["the <e1>red dog</e1> is like <e2>cats</e2> .", "<e2>the cat</e2>is near the<e1>house</e1>"],
            label=[0, 1],
        ),
        "tagging": lambda: dataset(
            kind,
            ("O", "B-X", "I-X"),
            tokens=[["the", "red", "dog", "."], ["unlikely", "the", "e-mail"]],
            label=[[0, 1, 2, 0], [1, 0, 1]],
        ),
        "extractive-qa": lambda: dataset(
            kind,
            text=["the dog", "the cat"],
            text_pair=texts[:2],
            label=[{"answer_start": [4], "text": ["red dog"]}, {"answer_start": [], "text": []}],
        ),
        "reranking": lambda: dataset(kind, text=["the", "is"], passages=[texts[:2], texts[2:]], label=[[0, 1], [1, 0]]),
    }[kind]()


KINDS = ("classification", "regression", "relation", "tagging", "extractive-qa", "reranking")


def taught(backbone, recipe, folder, *, teacher=None, start=None):
    """Train into a new folder; the teacher too, unless it is given."""
    for name in ("teacher", "student"):
        (folder / name).mkdir(parents=True)
    teacher = teacher or backbone.teacher.train(recipe, FILES, folder / "teacher")
    return teacher, backbone.train(recipe, FILES, folder / "student", start, teacher=teacher)


def weights(checkpoint):
    return (checkpoint.folder / "model.safetensors").read_bytes()


# The losses.


def a_batch(backbone, texts=("the red dog is like the cold cat .", "the house")):
    tokenizer = backbone.tokenizer(FILES)
    rows = dict(tokenizer(list(texts)))
    return batch(tokenizer, (row(rows, i) for i in range(len(texts))))


def test_scores_are_what_attention_is_the_softmax_of(small):
    model = AutoModel.from_pretrained(small.teacher.address, attn_implementation="eager").eval()
    made = a_batch(small.teacher)
    with losses.listening(model) as scores, torch.no_grad():
        attentions = model(**made, output_attentions=True).attentions
        found = scores()
    assert len(found) == len(attentions) == 4
    padding = made["attention_mask"][:, None, None] == 0
    for ours, theirs in zip(found, attentions, strict=True):
        assert ours.shape == theirs.shape == (2, 2, 11, 11)
        assert torch.allclose(ours.masked_fill(padding, -1e9).softmax(-1), theirs, atol=1e-6)
    with losses.listening(model) as scores, torch.no_grad():
        model(**a_batch(small.teacher, ("the cat",)))
        assert scores()[0].shape == (1, 2, 4, 4)
    assert not any(m._forward_hooks for both in losses.queries_and_keys(model) for m in both.values())


@pytest.mark.parametrize(
    "n_student, n_teacher, expected",
    [
        (4, 12, [0, 3, 6, 9, 12]),
        (6, 12, [0, 2, 4, 6, 8, 10, 12]),
        (2, 6, [0, 3, 6]),
        (2, 2, [0, 1, 2]),
        (1, 6, [0, 6]),
    ],
)
def test_layers_are_mapped_uniformly(n_student, n_teacher, expected):
    assert [losses.imitated(m, n_student, n_teacher) for m in range(n_student + 1)] == expected


def test_the_loss_of_layers_is_the_sum_of_mean_squared_errors_without_padding():
    rng, lengths, heads = np.random.default_rng(0), (5, 2), 3

    def layers(n, width):
        hidden = [rng.normal(size=(2, 5, width)) for _ in range(n + 1)]
        return hidden, [rng.normal(size=(2, heads, 5, 5)) for _ in range(n)]

    (h_s, a_s), (h_t, a_t), w, b = layers(2, 4), layers(6, 7), rng.normal(size=(7, 4)), rng.normal(size=7)
    expected = 0.0
    for m, g in ((0, 0), (1, 3), (2, 6)):
        errors = [(h_s[m][i, :n] @ w.T + b - h_t[g][i, :n]).ravel() ** 2 for i, n in enumerate(lengths)]
        expected += np.concatenate(errors).mean()
    for m, g in ((0, 2), (1, 5)):
        errors = [(a_s[m][i, :, :n, :n] - a_t[g][i, :, :n, :n]).ravel() ** 2 for i, n in enumerate(lengths)]
        expected += np.concatenate(errors).mean()

    projection = torch.nn.Linear(4, 7)
    projection.weight.data, projection.bias.data = torch.tensor(w).float(), torch.tensor(b).float()
    student, teacher = (
        losses.Layers(*([torch.tensor(x).float() for x in part] for part in of)) for of in ((h_s, a_s), (h_t, a_t))
    )
    mask = torch.tensor([[1] * 5, [1, 1, 0, 0, 0]])
    assert losses.of_layers(student, teacher, mask, projection).item() == pytest.approx(expected, rel=1e-5)


def _cross_entropy(student, teacher, t):
    return -(softmax(teacher / t, axis=-1) * log_softmax(student / t, axis=-1)).sum(-1)


@pytest.mark.parametrize("t", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_of_predictions(kind, t):
    rng = np.random.default_rng(1)
    tags = np.array([[IGNORED, 0, 2, IGNORED], [IGNORED, 1, IGNORED, IGNORED]])
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0]])
    shape = {"tagging": (2, 4, 3), "regression": (2, 1), "reranking": (2, 1)}.get(kind, (2, 3))
    ours, theirs = rng.normal(size=(2, *shape))
    names = ("logits",)
    if kind == "tagging":
        expected = _cross_entropy(ours, theirs, t)[tags != IGNORED].mean()
    elif kind == "extractive-qa":
        names, (ours, theirs) = ("start_logits", "end_logits"), rng.normal(size=(2, 2, 2, 4))
        each = [
            _cross_entropy(s[i, :n], g[i, :n], t)
            for s, g in zip(ours, theirs, strict=True)
            for i, n in ((0, 4), (1, 2))
        ]
        expected = np.mean(each)
    elif kind == "regression":
        expected = ((ours - theirs) ** 2).mean()
    elif kind == "reranking":
        p, q = expit(theirs / t), expit(ours / t)
        expected = -(p * np.log(q) + (1 - p) * np.log(1 - q)).mean()
    else:
        expected = _cross_entropy(ours, theirs, t).mean()
    student, teacher = (
        SimpleNamespace(**dict(zip(names, torch.tensor(v) if len(names) == 2 else [torch.tensor(v)], strict=True)))
        for v in (ours, theirs)
    )
    made = {"labels": torch.tensor(tags), "attention_mask": torch.tensor(mask)}
    assert losses.OF_PREDICTIONS[kind](student, teacher, made, t).item() == pytest.approx(expected)


# The training.


def test_a_distilled_training_needs_its_teachers_and_transfers_share_it(small, tmp_path):
    here = Workspace(FILES, Store(tmp_path))
    a, b, c = (Recipe((t,), seed=3, max_train=20) for t in TASKS[:3])
    alone = Training(small, c)
    assert alone.inputs(here) == (Training(small.teacher, c),)
    for source in (a, b):
        transfer = Training(small, replace(c, start=source))
        assert transfer.inputs(here) == (Training(small, source), Training(small.teacher, c))
    asked = replace(c, settings=FEW)
    assert Training(small, asked).inputs(here) == (Training(small.teacher, c),), "a teacher is trained in its own way"
    other = replace(small, teacher=replace(small.teacher, learning_rate=1e-4))
    keys = [here.key(Training(x, c)) for x in (small, other, replace(small, temperature=2.0), small.student)]
    assert len({*keys}) == 4
    pooled = replace(small, student=replace(small.student, pooling="mean"))
    assert here.key(Training(pooled, c)) == keys[0], "pooling changes no training"


def test_it_keeps_the_promises_of_a_backbone(small):
    check_backbone(small, FILES)


def test_the_registered_pairs():
    for name in ("tinybert", "tinybert-4l", "minilm-2l-distilled"):
        backbone = KNOWN[name]
        assert backbone.settings("relation", 500) == backbone.student.settings("relation", 500)
    assert KNOWN["tinybert"].student.name == "tinybert-plain" and KNOWN["tinybert"].teacher.name == "bert"
    usual = KNOWN["tinybert"].settings("tagging", 10**6)
    for kind, epochs in {"tagging": (5, 3), "extractive-qa": (5, 3), "relation": (25, 25)}.items():
        assert tuple(s.epochs for s in KNOWN["tinybert"].phases(kind, usual)) == epochs
    assert [s.epochs for s in KNOWN["tinybert"].phases("regression", usual)] == [usual.epochs] * 2


def test_options_of_the_student_and_the_teacher_are_set_by_their_place():
    (found,) = varied(
        KNOWN["minilm-2l-distilled"],
        [f"minilm-2l-distilled.{o}" for o in ("temperature=2", "student.precision=bf16", "prediction_epochs=none")],
    )
    assert (found.temperature, found.student.precision, found.teacher.precision) == (2.0, "bf16", None)
    assert found.prediction_epochs is None


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_learned_from_the_teacher_with_its_padding_and_its_lists(small, kind, tmp_path):
    task = Given(of_kind(kind))
    few = replace(small, intermediate_epochs=1, prediction_epochs=1)
    _, made = taught(few, Recipe((task,), settings=FEW), tmp_path)
    outputs = made.outputs
    assert made.steps == 2 and np.isfinite(outputs).all()
    assert len(outputs) == {"tagging": 7, "reranking": 4, "relation": 2, "extractive-qa": 2}.get(kind, 4)


def test_the_same_seed_gives_the_same_weights(small, tmp_path):
    recipe = Recipe(TASKS[:1], settings=FEW)
    teacher, one = taught(small, recipe, tmp_path / "one")
    _, two = taught(small, recipe, tmp_path / "two", teacher=teacher)
    _, other = taught(small, replace(recipe, seed=1), tmp_path / "other", teacher=teacher)
    _, warm = taught(replace(small, temperature=3.0), recipe, tmp_path / "warm", teacher=teacher)
    assert weights(one) == weights(two) and len({weights(c) for c in (one, other, warm)}) == 3


def test_a_student_of_half_precision_learns_too(small, tmp_path):
    recipe = Recipe(TASKS[:1], settings=FEW)
    half = replace(recipe, settings=replace(FEW, precision="bf16"))
    teacher, whole = taught(small, recipe, tmp_path / "whole")
    _, made = taught(small, half, tmp_path / "half", teacher=teacher)
    assert np.allclose(made.outputs, whole.outputs, atol=0.2) and weights(made) != weights(whole)


@pytest.mark.parametrize("kind", ["classification", "regression", "tagging", "extractive-qa", "reranking"])
def test_the_true_answers_are_for_the_teacher_only(small, kind, tmp_path):
    data = of_kind(kind)
    other = {
        "tagging": [[2, 1, 1, 0], [0, 1, 2]],
        "extractive-qa": [{"answer_start": [], "text": []}, {"answer_start": [4], "text": ["house"]}],
    }
    turned = replace(data, columns={**data.columns, "label": other.get(kind, [*data.columns["label"]][::-1])})
    recipe, false = (Recipe((Given(d),), settings=FEW) for d in (data, turned))
    teacher, true = taught(small, recipe, tmp_path / "true")
    assert weights(taught(small, false, tmp_path / "false", teacher=teacher)[1]) == weights(true)
    assert weights(small.student.train(recipe, FILES, tmp_path)) != weights(true)


def test_the_order_of_the_rows_is_that_of_plain_training(small, tmp_path, monkeypatch):
    seen = []

    def watched(tokenizer, rows):
        made = batch(tokenizer, rows)
        seen.append(made["input_ids"].tolist())
        return made

    recipe = Recipe(TASKS[:1], settings=replace(FEW, epochs=3))
    teacher = small.teacher.train(recipe, FILES, tmp_path)
    monkeypatch.setattr(training, "batch", watched)
    steps = small.student.train(recipe, FILES, tmp_path).steps
    plain, n = [*seen], len(seen)
    seen.clear()
    assert taught(small, recipe, tmp_path / "distilled", teacher=teacher)[1].steps == 2 * steps
    assert seen == plain * 2 and len({str(plain[i : i + n // 3]) for i in range(0, n, n // 3)}) == 3


def test_the_teacher_sees_the_words_as_they_are_while_the_student_carries_only_those_that_occur(small, tmp_path):
    tokenizer = small.student.tokenizer(FILES)
    rows = encoded(tokenizer, of_kind("classification"), 64).rows
    model = small.student.fresh(of_kind("classification"), 0, FILES)
    seen = []

    def loss(model, batch, whole):
        seen.extend(
            (tokenizer.decode(ids, skip_special_tokens=True), n.max().item())
            for ids, n in zip(whole["input_ids"], batch["input_ids"], strict=True)
        )
        return model(**batch).loss

    training.fit(model, tokenizer, rows, FEW, seed=0, out=tmp_path, loss=loss)
    assert sorted(text for text, _ in seen) == sorted(
        tokenizer.batch_decode(rows["input_ids"], skip_special_tokens=True)
    )
    used = {i for ids in rows["input_ids"] for i in ids}
    assert max(n for _, n in seen) == len(used | {0}) - 1 < max(used), "the student numbers its words by itself"


def test_each_phase_brings_the_student_nearer_to_its_teacher(small, tmp_path):
    recipe = Recipe(TASKS[:1], settings=Settings(epochs=30, batch_size=16, learning_rate=3e-3))
    train = TASKS[0].load("train", FILES)
    teacher = small.teacher.train(recipe, FILES, tmp_path)
    master, tokenizer = small.teacher.model(teacher, FILES), small.student.tokenizer(FILES)
    rows, names = encoded(tokenizer, train, 64).rows, tokenizer.model_input_names
    made = batch(tokenizer, (row(rows, i) for i in range(32)))
    model = small.student.fresh(train, 0, FILES)

    def now(loss):
        model.eval()
        with torch.no_grad():
            return loss(model, made, made).item()

    predictions, values = losses.predicting(master, "classification", 1.0, names), []
    with losses.imitating(model, master, names) as layers:
        before = now(layers)
        training.fit(model, tokenizer, rows, recipe.settings, seed=0, out=tmp_path, loss=layers)
        assert now(layers) < 0.5 * before
    assert not hasattr(model, "to_teacher"), "the projection is dropped"
    values = [now(predictions)]
    training.fit(model, tokenizer, rows, recipe.settings, seed=0, out=tmp_path, loss=predictions)
    values.append(now(predictions))
    assert values[1] < values[0]


def test_a_phase_makes_the_least_number_of_steps(small, tmp_path):
    settings = replace(FEW, min_steps=7)  # 60 rows: 4 steps an epoch
    recipe = Recipe(TASKS[:1], settings=settings)
    teacher, made = taught(small, recipe, tmp_path)
    assert made.steps == 16
    only = replace(small, intermediate_epochs=0)
    assert taught(only, recipe, tmp_path / "only", teacher=teacher)[1].steps == 8


def test_the_cost_counts_both_phases():
    distilled, recipe = KNOWN["minilm-2l-distilled"], Recipe(TASKS[:1], settings=FEW)
    long, short = (
        replace(distilled, intermediate_epochs=n, prediction_epochs=1).cost(recipe, FILES, seconds=0.05)
        for n in (49, 0)
    )
    assert long[0] > 10 * short[0] > 0 and long[1] == short[1]


# What cannot work.


def _refused(backbone, recipe, folder, says, *, teacher=None, match=None):
    with pytest.raises(UnusableData) as caught:
        taught(backbone, recipe, folder, teacher=teacher)
    message = str(caught.value)
    assert all(word in message for word in says) and "\n" not in message, message


@pytest.mark.parametrize("of, other", [*pairwise(KINDS), ("reranking", "regression"), ("classification", "relation")])
def test_a_teacher_of_another_task_is_refused(small, of, other, tmp_path):
    (tmp_path / "wrong").mkdir()
    teacher = small.teacher.train(Recipe((Given(of_kind(other)),), settings=FEW), FILES, tmp_path / "wrong")
    recipe = Recipe((Given(of_kind(of), "wanted"),), settings=FEW)
    _refused(
        small, recipe, tmp_path, ("'teacher'", "'small'", "'wanted'", "was trained on another task"), teacher=teacher
    )


def test_a_teacher_of_another_task_of_the_same_form_is_refused(small, tmp_path):
    (tmp_path / "wrong").mkdir()
    teacher = small.teacher.train(Recipe(TASKS[1:2], settings=FEW), FILES, tmp_path / "wrong")
    says = ("'teacher'", "'small'", "trained on another task, 'toy-b'", "not on 'toy-a'")
    _refused(small, Recipe(TASKS[:1], settings=FEW), tmp_path, says, teacher=teacher)


def test_a_missing_teacher_is_said(small, tmp_path):
    with pytest.raises(UnusableData, match="small: `train` needs the checkpoint of a teacher of 'toy-a'"):
        small.train(Recipe(TASKS[:1], settings=FEW), FILES, tmp_path)


def test_models_that_do_not_fit_each_other_are_refused(small, tmp_path):
    recipe = Recipe(TASKS[:1], settings=FEW)
    pairs = {
        "heads": (
            saved(tmp_path / "heads", layers=2, heads=4),
            ("2 layers with 4 heads", "teacher 'teacher' 4 with 2", "as many"),
        ),
        "layers": (
            saved(tmp_path / "layers", layers=3),
            ("3 layers with 2 heads", "teacher 'teacher' 4 with 2", "a multiple"),
        ),
        "words": (saved(tmp_path / "words", layers=2, words=VOCABULARY[:-1]), ("other vocabularies", "'words'")),
    }
    for name, (student, says) in pairs.items():
        _refused(replace(small, student=student), recipe, tmp_path / f"{name}-out", says)
    only = replace(small, student=pairs["heads"][0], intermediate_epochs=0)
    assert taught(only, recipe, tmp_path / "predictions")[1].steps == 4, "predictions ask for no layers"


def test_a_model_whose_attention_cannot_be_heard_is_refused(small, tmp_path):
    config = DistilBertConfig(vocab_size=len(VOCABULARY), dim=16, n_layers=2, n_heads=2, hidden_dim=32)
    DistilBert(config).save_pretrained(tmp_path / "other")
    small.student.tokenizer(FILES).save_pretrained(tmp_path / "other")
    student = HuggingFace("other", str(tmp_path / "other"))
    recipe = Recipe(TASKS[:1], settings=FEW)
    says = ("DistilBertForSequenceClassification has no query and key", "intermediate_epochs=0")
    _refused(replace(small, student=student), recipe, tmp_path / "out", says)


@pytest.mark.parametrize(
    "option, value", [("temperature", 0.0), ("temperature", -1.0), ("augment", -1), ("prediction_epochs", 0)]
)
def test_options_out_of_range_are_refused(small, option, value):
    with pytest.raises(UnusableData, match=f"small: {option} is too small"):
        replace(small, **{option: value})


# Augmentation.


def more(small, data, copies=2, seed=0, limit=64):
    tokenizer = small.teacher.tokenizer(FILES)
    return augment.augmented(
        data, copies, seed=seed, folder=small.teacher.folder(FILES)[0], tokenizer=tokenizer, limit=limit
    )


@pytest.mark.parametrize("kind", [*augment.WAYS])
def test_copies_keep_labels_lengths_and_all_but_single_words(small, kind):
    data = of_kind(kind)
    made = more(small, data, copies=20)
    assert made.sha256 == more(small, data, copies=20).sha256 != more(small, data, copies=20, seed=1).sha256
    assert list(made.columns["label"]) == list(data.columns["label"]) * 21
    assert made.take(range(len(data))).sha256 == data.sha256, "the examples themselves come first"
    stays, free = {"unlikely", "cats", ".", ",", "e-mail"}, 0
    for name in {"text", "text_pair", "tokens"} & {*data.columns}:
        changed = 0
        for i, after in enumerate(made.columns[name]):
            before = data.columns[name][i % len(data)]
            if name == "text" and kind == "relation":
                for number in "12":
                    entity = before[before.index(f"<e{number}>") : before.index(f"</e{number}>") + 5]
                    assert after.count(entity) == 1
                before, after = (augment.MARK.sub("", augment.ENTITY.sub(" X ", text)) for text in (before, after))
            before, after = (v if isinstance(v, list) else v.split() for v in (before, after))
            assert len(before) == len(after)
            assert all(a == b for a, b in zip(after, before, strict=True) if b in stays or b == "X")
            changed += sum(a != b for a, b in zip(after, before, strict=True))
            free += sum(b not in stays and b != "X" for b in before) * (i >= len(data))
        assert changed
        assert {w for v in made.columns[name] for w in (v if isinstance(v, list) else v.split())} > stays & {*before}


def test_words_are_replaced_by_the_likeliest_in_their_place_as_often_as_the_method_says(small, monkeypatch):
    (text,) = ["the red dog is like the unlikely cat ."]
    data = dataset("classification", ("a", "b"), text=[text], label=[0])
    monkeypatch.setattr(augment, "BEST", 3)
    copies = [t.split() for t in more(small, data, copies=3000).columns["text"][1:]]
    tokenizer = AutoTokenizer.from_pretrained(small.teacher.address)  # one that reads [MASK] as the mask
    model = BertForMaskedLM.from_pretrained(small.teacher.address).eval()
    words = text.split()
    for i, word in enumerate(words):
        found = [copy[i] for copy in copies]
        if word in (".", "unlikely"):
            assert {*found} == {word}
            continue
        masked = tokenizer(" ".join([*words[:i], "[MASK]", *words[i + 1 :]]), return_tensors="pt")
        with torch.no_grad():
            logits = model(**masked).logits[masked["input_ids"] == tokenizer.mask_token_id][0]
        order = [tokenizer.convert_ids_to_tokens(n) for n in logits.argsort(descending=True).tolist()]
        best = [w for w in order if w.isalnum()][:3]
        assert {*found} == {word, *best}
        for other in {*best} - {word}:
            assert abs(np.mean([w == other for w in found]) - 0.4 / 3) < 4 * np.sqrt(0.4 / 3 * 0.87 / 3000)


def test_what_the_limit_cuts_off_stays(small):
    data = dataset("classification", ("a", "b"), text=["the red dog is like the unlikely cat"], label=[0])
    for limit, kept in (
        (5, "is like the unlikely cat"),
        (7, "the unlikely cat"),
        (8, "unlikely cat"),
        (9, "unlikely cat"),
    ):
        assert all(t.endswith(kept) for t in more(small, data, copies=50, limit=limit).columns["text"])


def test_a_model_without_the_head_for_masked_words_is_refused(small, tmp_path):
    headless = replace(small, teacher=saved(tmp_path / "headless"), augment=1, augment_kinds=("classification",))
    _refused(headless, Recipe(TASKS[:1], settings=FEW), tmp_path / "out", ("augment", "headless", "cls.predictions"))


@pytest.mark.parametrize("kind", ["extractive-qa", "reranking"])
def test_texts_whose_answers_would_move_are_refused_before_any_work(small, kind):
    with pytest.raises(UnusableData, match=f"augment: the texts of {kind} stay as they are.*tagging"):
        replace(small, augment=1, augment_kinds=("tagging", kind))


def test_kinds_that_are_not_named_are_not_augmented(small, tmp_path):
    recipe = Recipe(TASKS[:1], settings=FEW, max_train=32)
    teacher, plain = taught(small, recipe, tmp_path / "one")
    assert taught(replace(small, augment=3), recipe, tmp_path / "more", teacher=teacher)[1].steps == plain.steps


def test_a_student_learns_from_the_copies_too(small, tmp_path):
    recipe = Recipe(TASKS[:1], settings=FEW, max_train=32)
    teacher, made = taught(small, recipe, tmp_path / "one")
    assert made.steps == 4
    more = replace(small, augment=3, augment_kinds=("classification",))
    assert taught(more, recipe, tmp_path / "more", teacher=teacher)[1].steps == 16


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_a_student_learns_more_from_its_teacher_than_from_the_true_answers(tmp_path):
    """Over three seeds; the controls share its first weights, its examples and its steps, the second its order too."""
    task, here = load_parts().find("task", "mini-mrpc"), Workspace(FILES, Store(tmp_path))
    found = [measured(KNOWN["minilm-2l-distilled"], Recipe((task,), seed=s), here)[1] for s in (0, 1, 2)]
    teacher, student, control, phased = np.mean(found, axis=0)  # (score, agreement with the teacher) each
    assert student[0] < 0.95, "a ceiling would hide a difference"
    for other in (control, phased):
        assert student[0] > other[0] and student[1] > other[1]
