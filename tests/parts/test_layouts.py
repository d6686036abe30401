"""Tasks in the layouts in which people have them: without a header, words a line, relations, rows of a query."""

import pytest

from cogbench import METRICS, Dataset, Files, Origin, UnknownName, UnusableData, load_parts
from cogbench.parts.targets import find_target

FILES = Files(offline=True)
WORDS = [("Ann", "NNP", "B-PER"), ("sees", "VBZ", "O"), ("Rome", "NNP", "B-LOC")]


@pytest.fixture
def target():
    parts = load_parts()
    return lambda address, kind, **how: find_target(parts, str(address), FILES, kind=kind, **how)


def sentences(row, n=12):
    return "".join("".join(row(i, *word) for word in WORDS) + "\n" for i in range(n))


def test_a_table_without_a_header_goes_by_the_numbers_of_its_columns(tmp_path, target):
    path = tmp_path / "train.tsv"
    path.write_text("".join(f'gj04\t{i % 2}\t*\t"Sentence {i}."\n' for i in range(20)) + "gj04\t1\t*\tPlain.\n")
    for task in (
        target(f"{path},header=no,text=4,label=2", "classification"),
        target(f"{path},header=no", "classification", columns="text=4,label=2"),
    ):
        train, scored = (task.load(split, FILES) for split in ("train", "evaluation"))
        assert len(train) + len(scored) == 21 and train.labels == ("0", "1")
        assert '"Sentence 0."' in train.columns["text"] + scored.columns["text"]
    with pytest.raises(UnusableData, match="lacks column text, label; .* or say header=no in the address if it has no"):
        target(path, "classification").load("train", FILES)
    with pytest.raises(UnknownName, match="unknown option of a table 'lable'"):
        target(f"{path},header=no,text=4,lable=2", "classification")


@pytest.mark.parametrize(
    "name, row",
    [
        ("t.conll", lambda i, word, pos, tag: f"{word}{i} {pos} {tag}\n"),
        ("t.txt", lambda i, word, pos, tag: f"{word}{i}\t{pos}\t{tag}\n"),
        ("t.tsv", lambda i, word, pos, tag: f"{word}{i}\t{pos}\t{tag}\n"),
    ],
)
def test_words_a_line_may_have_several_columns(tmp_path, target, name, row):
    path = tmp_path / name
    path.write_text(sentences(row))
    train = target(path, "tagging").load("train", FILES)
    assert train.labels == ("O", "B-LOC", "B-PER") and train.columns["label"][0] == [2, 0, 1]
    parts_of_speech = target(f"{path},label=2", "tagging")
    assert parts_of_speech.metric == "word-accuracy"
    assert parts_of_speech.load("train", FILES).labels == ("NNP", "VBZ")


def test_conll_u_has_its_columns_by_name_and_a_tag_in_its_last(tmp_path, target):
    def row(i, word, pos, tag):
        number = [w for w, _, _ in WORDS].index(word) + 1
        return f"{number}\t{word}{i}\t_\t{pos}\t_\t_\t0\troot\t_\tSpaceAfter=No|NER={tag}\n"

    path = tmp_path / "t.conllu"
    path.write_text(
        sentences(
            lambda i, *word: (
                ("# sent_id = x\n1-2\tab\t" + "_\t" * 7 + "_\n" if word[0] == "Ann" else "") + row(i, *word)
            )
        )
    )
    train = target(path, "tagging").load("train", FILES)
    assert train.labels == ("O", "B-LOC", "B-PER") and len(train.columns["tokens"][0]) == 3
    assert target(f"{path},label=upos", "tagging").load("train", FILES).labels == ("NNP", "VBZ")


def test_relations_in_the_form_of_semeval(tmp_path, target):
    kinds = ["Cause(e1,e2)", "Cause(e2,e1)"]
    texts = [f'{i}\t"The <e1>kiln</e1> {i} made <e2>heat</e2>."\n{kinds[i % 2]}\nComment: x\n\n' for i in range(20)]
    (path := tmp_path / "TRAIN.TXT").write_text("".join(texts))
    train = target(path, "relation").load("train", FILES)
    assert train.labels == ("Cause(e1,e2)", "Cause(e2,e1)")
    assert train.columns["text"][0].startswith("The <e1>kiln</e1>")
    path.write_text("".join(texts[:2]) + '3\t"No <e1>a</e1> <e2>b</e2>."\n')
    with pytest.raises(UnusableData, match="the text in line 9 has no relation in the line below it"):
        target(path, "relation").load("train", FILES)


def test_grades_of_relevance_stand_a_row_for_each_query_and_document(tmp_path, target):
    rows = [f"query {q}\tdoc {q} {d}\t{d % 3}\n" for d in range(4) for q in range(10)]
    (path := tmp_path / "t.tsv").write_text("query\tdoc\tgrade\n" + "".join(rows))
    task = target(f"{path},text=query,passages=doc,label=grade", "reranking")
    train = task.load("train", FILES)
    assert task.metric == "ndcg@10" and train.columns["label"][0] == [0, 1, 2, 0]
    answers = [[0.1, 0.5, 0.9, 0.2]] * len(train)
    metric = METRICS["ndcg@10"]
    assert metric.value(metric.contributions(answers, train)) == pytest.approx(1)
    worse = [[0.1, 0.9, 0.5, 0.2]] * len(train)  # relevant first, but the lesser one
    expected = (1 + 2 / 1.584962500721156) / (2 + 1 / 1.584962500721156)
    assert metric.value(metric.contributions(worse, train)) == pytest.approx(expected)


def test_texts_of_the_evaluation_that_were_learned_are_counted(tmp_path, target):
    (path := tmp_path / "t.csv").write_text("text,label\n" + "".join(f"Text {i},{i % 2}\n" for i in range(10)))
    (other := tmp_path / "e.csv").write_text("text,label\nText  3,1\nNew,0\n")
    scored = target(path, "classification", evaluation=other).load("evaluation", FILES)
    assert "t: 1 of 2 evaluation examples have a text that stands in the training, too." in scored.notes


@pytest.mark.parametrize("name", ["validation", "dev", "devel", "valid"])
def test_a_folder_may_call_its_splits_otherwise(tmp_path, target, name):
    for split in ("train", name):
        (tmp_path / f"{split}.tsv").write_text("".join(f"{split}{i}\tO\nx\tB-A\n\n" for i in range(6)))
    task = target(tmp_path, "tagging")
    assert [len(task.load(split, FILES)) for split in ("train", "evaluation")] == [6, 6]


def test_raw_files_of_published_corpora(shared_data, target):
    folder = shared_data / "bioner" / "ncbi_disease_conll"
    task = target(folder, "tagging")
    train, scored = (task.load(split, FILES) for split in ("train", "evaluation"))
    assert (len(train), len(scored)) == (300, 100) and train.labels == ("O", "B-Disease", "I-Disease")
    lines = [line for line in (folder / "train.tsv").read_text().splitlines() if line.strip()]
    assert [word for words in train.columns["tokens"] for word in words] == [line.split("\t")[0] for line in lines]


@pytest.mark.parametrize(
    "labels, true, answer, value",
    [
        (("O", "DATE", "RATE"), [1, 0, 0], [2, 0, 0], 0),
        (("O", "MASS", "BASS"), [1, 0, 2], [2, 0, 1], 0),
        (("O", "DATE", "RATE"), [1, 1, 0], [1, 1, 0], 1),
        (("O", "DATE", "RATE"), [1, 1, 0], [1, 0, 0], 0),  # two words are one entity
        (("O", "B-DATE", "I-DATE"), [1, 2, 0], [1, 2, 0], 1),
    ],
)
def test_tags_without_a_prefix_are_types_of_their_own(labels, true, answer, value):
    data = Dataset("tagging", {"tokens": [["a", "b", "c"]], "label": [true]}, labels, Origin("x"))
    metric = METRICS["entity-f1"]
    assert metric.value(metric.contributions([answer], data)) == value
