"""An adapted backbone: the base where nothing is trained, one adaptation for all tasks, and what is refused before."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from bigrams import bigram_corpus, save_small_model
from click.testing import CliRunner
from cogbench_pretraining import pace
from cogbench_pretraining.adapted import Adapted
from cogbench_pretraining.corpus import texts_of_tasks
from numpy.testing import assert_array_equal
from safetensors.torch import load_file

from cogbench import CogbenchError, Files, MissingData, Recipe, TrainsTogether, UnusableData, load_parts, run
from cogbench.cli.main import cli
from cogbench.testing import check_backbone

FILES = Files(offline=True)
SENTENCES = ("the cat saw a dog", "after many1 before few2")


@pytest.fixture(scope="module")
def parts():
    return load_parts()


@pytest.fixture(scope="module")
def small(parts, tmp_path_factory):
    """A tiny model that is trained for a few steps on each task."""
    member = parts.find("backbone", str(save_small_model(tmp_path_factory.mktemp("small"))))
    return replace(member, epochs=1, min_steps=2, batch_size=8, max_length=32)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    file = tmp_path_factory.mktemp("corpus") / "bigrams.txt"
    file.write_text("\n\n".join(bigram_corpus(30)) + "\n")
    return str(file)


@pytest.fixture(scope="module")
def short(small, corpus):
    return Adapted(backbone=small, corpus=corpus, steps=3, batch_size=4, learning_rate=1e-2)


def test_it_tells_what_the_adaptation_takes(short, monkeypatch):
    clock = iter(range(0, 1000, 2))  # a step takes two seconds
    monkeypatch.setattr(pace, "perf_counter", lambda: float(next(clock)))
    threads = torch.get_num_threads()
    seconds, size = short.cost_of_adaptation(FILES)
    weights = short.backbone.model(None, FILES).parameters()
    assert (seconds, size) == (short.steps * 2.0, sum(4 * weight.numel() for weight in weights))
    assert torch.get_num_threads() == threads
    assert replace(short, steps=0).cost_of_adaptation(FILES) == (0.0, size)


def adapted_in(folder, backbone):
    backbone.adapt(FILES, folder)
    return backbone.after_adaptation(folder, FILES)


def trained(backbone, task, folder):
    recipe = Recipe((task,), seed=4, max_train=16, settings=backbone.settings(task.kind, 16))
    return backbone.train(recipe, FILES, folder)


@pytest.mark.parametrize("which", ["small", "without a pooler", "minilm-2l"])
def test_after_0_steps_it_is_the_base_to_the_bit(which, parts, small, corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp
    base = small
    if which == "without a pooler":
        base = replace(small, address=str(save_small_model(folder("model"), pooler=False)))
    if which == "minilm-2l":
        base = replace(parts.backbones[which], epochs=1, min_steps=2, batch_size=8, max_length=32)
    own = adapted_in(folder("adapted"), Adapted(backbone=base, corpus=corpus, steps=0))
    assert_array_equal(own.represent(None, SENTENCES, FILES), base.represent(None, SENTENCES, FILES))
    for name in ("mini-cola", *(() if which == "minilm-2l" else ("mini-conll-2003",))):
        one, other = (trained(backbone, parts.tasks[name], folder("trained")) for backbone in (own, base))
        assert_array_equal(one.outputs, other.outputs)
        mine, theirs = (load_file(checkpoint.folder / "model.safetensors") for checkpoint in (one, other))
        assert mine.keys() == theirs.keys() and all(torch.equal(mine[key], theirs[key]) for key in mine)


@pytest.mark.parametrize("masking", ["random", "whole-word", "adaptive", "curriculum"])
def test_steps_move_the_model_and_the_same_options_move_it_alike(masking, short, small, tmp_path_factory):
    backbone = replace(short, masking=masking)
    vectors = [
        adapted_in(tmp_path_factory.mktemp("adapted"), one).represent(None, SENTENCES, FILES)
        for one in (backbone, backbone, replace(backbone, seed=1))
    ]
    assert_array_equal(vectors[0], vectors[1])
    assert np.abs(vectors[0] - small.represent(None, SENTENCES, FILES)).max() > 1e-3
    assert np.abs(vectors[0] - vectors[2]).max() > 1e-4


def test_a_head_of_the_models_own_is_used_and_a_fresh_one_is_told_of(short, tmp_path):
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

    with_head = tmp_path / "with-head"
    config = BertConfig.from_pretrained(short.backbone.address)
    BertForMaskedLM(config).save_pretrained(with_head)
    AutoTokenizer.from_pretrained(short.backbone.address).save_pretrained(with_head)
    own = replace(short, backbone=replace(short.backbone, address=str(with_head)))
    notes = []
    for name, backbone in {"fresh": short, "own": own}.items():
        (tmp_path / name).mkdir()
        notes.append(" ".join(backbone.adapt(FILES, tmp_path / name).notes))
    assert "masking: random" in notes[0] and "3 steps on 30 rows of text" in notes[0]
    assert "a fresh one was drawn" in notes[0] and "a fresh one was drawn" not in notes[1]


def test_a_text_longer_than_the_model_goes_on_in_further_rows(short, tmp_path):
    file = tmp_path / "long.txt"
    file.write_text(" ".join(bigram_corpus(4)))  # 4 * 32 words
    (tmp_path / "out").mkdir()
    notes = replace(short, corpus=str(file), max_length=34).adapt(FILES, tmp_path / "out").notes
    assert "3 steps on 4 rows of text" in " ".join(notes)


def test_the_revision_changes_with_the_corpus_and_the_options(short, corpus, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("\n".join(bigram_corpus(30, seed=1)))
    same = tmp_path / "same.txt"
    same.write_text("\n".join(bigram_corpus(30)))
    usual = short.origin(FILES).revision
    assert usual.startswith(f"{short.backbone.origin(FILES).revision} adapted ")
    assert replace(short, corpus=str(same)).origin(FILES).revision == usual
    for change in (
        {"corpus": str(other)},
        {"steps": 4},
        {"masking": "adaptive"},
        {"learning_rate": 2e-2},
        {"seed": 1},
        {"share": 0.2},
    ):
        assert replace(short, **change).origin(FILES).revision != usual


def test_training_texts_of_tasks_serve_as_a_corpus(parts, short):
    tasks = (parts.tasks["mini-cola"], parts.tasks["mini-mrpc"], parts.tasks["mini-cola"])
    texts = texts_of_tasks(tasks, FILES)
    train, evaluation = (tasks[0].load(split, FILES) for split in ("train", "evaluation"))
    assert {*train.columns["text"]} <= {*texts} and len({*texts}) == len(texts)
    unseen = {*evaluation.columns["text"]} - {*train.columns["text"]}
    assert unseen and not unseen & {*texts}
    assert replace(short, corpus="", tasks=tasks).origin(FILES).revision != short.origin(FILES).revision


def test_a_run_adapts_once_and_says_so(parts, short, corpus):
    names = "mini-cola,mini-rte,mini-sst-2"
    address = short.backbone.address
    sets = [
        f"adapted.backbone={address}",
        "adapted.backbone.epochs=1",
        "adapted.backbone.min_steps=2",
        f"adapted.corpus={corpus}",
        "adapted.steps=3",
    ]
    how = {"suite": "mini", "tasks": names, "stimuli": "neutral", "jobs": 0, "max_train": 16, "files": FILES}
    (first,) = run("dse", "adapted", set=sets, **how)
    assert first.provenance.cells.computed == 1 + 3 + 3 + 1
    assert any(note.startswith("adapted: 3 steps on 30 rows of text") for note in first.notes)
    (again,) = run("dse", "adapted", set=sets, **how)
    assert (again.provenance.cells.computed, again.similarity) == (0, first.similarity)
    (more,) = run("dse", "adapted", set=[*sets[:-1], "adapted.steps=4"], **how)
    assert more.provenance.cells.computed == 1 + 3 + 3 + 1


def test_tasks_can_be_trained_together_on_an_adapted_model(short, tmp_path_factory):
    assert isinstance(short, TrainsTogether)
    own = adapted_in(tmp_path_factory.mktemp("adapted"), short)
    assert isinstance(own, TrainsTogether)


def test_it_keeps_the_promises_of_a_backbone(short):
    member = replace(short.backbone, learning_rate=1e-2)
    check_backbone(replace(short, backbone=member))


def test_before_it_is_adapted_it_trains_nothing(short, tmp_path):
    with pytest.raises(UnusableData, match="backbone 'adapted' is adapted before it is used: call `adapt`"):
        short.represent(None, SENTENCES, FILES)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"steps": -1}, "backbone 'adapted': steps=-1; expected 0 or more."),
        ({"batch_size": 0}, "batch_size=0; expected 1 or more."),
        ({"learning_rate": 0.0}, "learning_rate=0.0; expected a number above 0."),
        ({"learning_rate": float("inf")}, "learning_rate=inf; expected a number above 0."),
        ({"share": 1.0}, "share=1.0; expected a share of the tokens, between 0 and 1."),
        ({"band": (2.0, 1.0)}, "band=2.0:1.0; expected two losses, the lower one first."),
        ({"max_length": 3}, "max_length=3; expected at least 4 pieces."),
        ({"warmup": 2.0}, "warmup=2.0; expected a share of the steps, from 0 to 1."),
        ({"masking": "none"}, "masking='none'; expected one of random, whole-word, adaptive, curriculum."),
        ({"seed": -1}, "seed=-1; expected 0 or more."),
    ],
)
def test_options_that_make_no_sense_are_refused(options, says):
    with pytest.raises(UnusableData) as refused:
        Adapted(**options)
    assert str(refused.value).endswith(says)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no corpus '{file}'; expected a text file with one text a line."),
        (b"", "corpus '{file}' holds no text; expected a text file with one text a line."),
        (b" \n\t\n\r\n", "corpus '{file}' holds no text; expected a text file with one text a line."),
        (b"good\nb\xff", "corpus '{file}' is not UTF-8 at byte 6: save it in that encoding."),
    ],
)
def test_a_corpus_without_text_is_refused_before_anything_is_trained(content, says, short, tmp_path):
    file = tmp_path / "corpus.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CogbenchError) as refused:
        replace(short, corpus=str(file)).origin(FILES)
    assert str(refused.value) == says.format(file=file)


def test_a_model_that_knows_no_masks_is_refused(short, parts, tmp_path):
    from transformers import AutoTokenizer, GPT2Config, GPT2Model

    tokenizer = AutoTokenizer.from_pretrained(short.backbone.address)
    causal, maskless = tmp_path / "causal", tmp_path / "maskless"
    GPT2Model(GPT2Config(vocab_size=32, n_embd=8, n_layer=1, n_head=1, n_positions=64)).save_pretrained(causal)
    tokenizer.save_pretrained(causal)
    save_small_model(maskless)
    tokenizer.mask_token = None
    tokenizer.save_pretrained(maskless)
    for folder, says in {
        causal: "backbone 'causal' cannot be adapted: it is a causal model, which predicts the next token",
        maskless: "backbone 'maskless' cannot be adapted: its tokenizer has no mask token.",
    }.items():
        with pytest.raises(UnusableData, match=says):
            replace(short, backbone=parts.find("backbone", str(folder))).origin(FILES)


def test_a_backbone_or_a_corpus_that_nobody_names_is_asked_for(parts, short):
    with pytest.raises(MissingData, match="adapts the model of another backbone: .*--set adapted.backbone=minilm-2l"):
        Adapted().origin(FILES)
    with pytest.raises(MissingData, match="has no corpus: name a text file, --set adapted.corpus=FILE, or tasks"):
        replace(short, corpus="").origin(FILES)
    with pytest.raises(UnusableData, match="backbone 'tinybert' cannot be adapted: take one of transformers"):
        replace(short, backbone=parts.backbones["tinybert"]).origin(FILES)
    with pytest.raises(UnusableData, match="both a corpus and tasks are named; name one of the two"):
        replace(short, tasks=(parts.tasks["mini-cola"],))


@pytest.mark.parametrize(
    ("sets", "says"),
    [
        ([], "adapts the model of another backbone"),
        (["adapted.backbone=minilm-2l", "adapted.steps=-1"], "steps=-1; expected 0 or more."),
        (["adapted.backbone=minilm-2l", "adapted.corpus=nowhere.txt"], "no corpus 'nowhere.txt'"),
        (["adapted.backbone=minilm-3l"], "unknown backbone 'minilm-3l'; did you mean 'minilm-2l'"),
        (["adapted.tasks=mini-colo"], "unknown task 'mini-colo'; did you mean 'mini-cola'"),
        (["adapted.masking=hard"], "adapted.masking=hard: input should be 'random', 'whole-word', 'adaptive' or"),
    ],
)
def test_the_command_line_says_in_one_line_what_is_wrong(sets, says):
    options = [word for text in sets for word in ("--set", text)]
    words = ["run", "--estimator", "dse", "--backbone", "adapted", "--suite", "mini", "--jobs", "0", *options]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code != 0
    lines = [line for line in done.output.splitlines() if line.strip()]
    assert len(lines) == 1 and says in lines[0], done.output
