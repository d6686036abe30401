"""Small folders of the layouts of the real ones, with sentences of our own."""

import json
from pathlib import Path

SENTENCES = 6  # of each split


def write(path, text):
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def sentence(split, i, kind):
    """Return the words of a sentence with their tags."""
    words = [("The", "O"), (f"{split}{i}", f"B-{kind}"), ("factor", f"I-{kind}"), ("binds", "O"), (".", "O")]
    return words if i % 2 else [*words[:1], ("cell", "O"), ("grows", "O")]


def word_a_line(folder, kind, change=lambda text: text):
    """Write a corpus of MTL-Bioinformatics-2016: `train.tsv`, `devel.tsv` and `test.tsv`."""
    for split in ("train", "devel", "test"):
        sentences = (sentence(split, i, kind) for i in range(SENTENCES))
        text = "\n".join("".join(f"{word}\t{tag}\n" for word, tag in words) for words in sentences)
        write(folder / f"{split}.tsv", change(text))
    return folder


def pubmedqa(folder, change=lambda articles: articles):
    """Write PubMedQA's two files: six articles, of which those of even numbers are tested."""
    articles = {
        str(i): {
            "QUESTION": f"Does drug {i} help?",
            "CONTEXTS": [f"We gave drug {i}.", "We measured."],
            "LONG_ANSWER": f"Drug {i} helps.",
            "final_decision": ("yes", "no", "maybe")[i % 3],
        }
        for i in range(6)
    }
    write(folder / "ori_pqal.json", json.dumps(change(articles)))
    write(folder / "test_ground_truth.json", json.dumps({str(i): "yes" for i in range(0, 6, 2)}))
    return folder


def question(i, kind, answer, *snippets):
    """Return a question as BioASQ's golden files have it."""
    named = [{"text": text, "document": f"http://example.org/{i}", "beginSection": "abstract"} for text in snippets]
    return {
        "id": f"{kind}{i}",
        "type": kind,
        "body": f"Which is {i}?",
        "exact_answer": answer,
        "ideal_answer": ["Yes, it is so."],
        "snippets": named,
    }


def golden(folder, change=lambda questions: questions):
    """Write the four golden files of a year: two factoid questions, one yes/no and one list question in each."""
    for batch in "1234":
        tau = (f"Protein TAU{batch} binds.", f"Of tau{batch}, tau{batch}x and tau.", f"Protein TAU{batch} binds.")
        questions = [
            question(f"{batch}1", "factoid", [[f"tau{batch}", "tau"]], *tau),
            question(f"{batch}2", "factoid", ["actin"], "Nothing of it here."),
            question(f"{batch}3", "yesno", "Yes" if batch in "13" else "no", "It is so.", f"It is not, {batch}."),
            question(f"{batch}4", "list", [["tau"], ["actin"]], "Tau and actin."),
        ]
        write(folder / f"12B{batch}_golden.json", json.dumps({"questions": change(questions)}))
    return folder


def table(folder, split, rows):
    """Write a split in the hub's layout."""
    write(Path(folder) / f"{split}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
