"""`HuggingFace` promises with `answers = 1` that trainings give these numbers: who changes them raises the number.

The numbers are those of cogbench 0.1.0, from four steps in single precision on sixteen examples of synthetic tasks.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from cogbench_backbones.distill import Distilled
from cogbench_backbones.huggingface import HuggingFace

from cogbench import Files, Recipe, load_parts

FIRST = {  # outputs for the first examples of the evaluation split
    "mini-rte": [[-0.0042, 0.0267], [-0.0041, 0.0269], [-0.0042, 0.0269]],
    "mini-sts-b": [[2.2470], [2.2468], [2.2470]],
    "mini-conll-2003": [[0.9871, -0.7400, -0.6479, -0.3105, -0.2193], [0.2893, -0.0047, -0.2629, -0.7049, -0.2415]],
    "mini-squad-v2": [[68, 74, 1.0911], [18, 81, 0.9596], [78, 84, 0.9554]],
}
TRANSFERRED = [[2.2658], [2.2659], [2.2657]]  # mini-sts-b after mini-rte
REPRESENTED = [-0.0451, 0.0109, -0.0184, 0.0077]  # the first dimensions of a sentence, by the model of mini-rte
TOLERANCE = 0.005  # other processors add up in other orders


@dataclass(frozen=True)
class Begun:
    """A task that is evaluated on its first three examples alone; its training examples stay."""

    task: object
    name = property(lambda self: self.task.name)
    kind = property(lambda self: self.task.kind)

    def load(self, split, files):
        whole = self.task.load(split, files)
        return whole if split == "train" else whole.take(range(3))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a function that trains a task for four steps, from another task if one is given."""
    parts, files = load_parts(), Files(offline=True)
    backbone, made = parts.backbones["minilm-2l"], {}

    def train(name, start=None):
        if (name, start) not in made:
            task, out = Begun(parts.tasks[name]), tmp_path_factory.mktemp("model")
            usual = backbone.settings(task.kind, 16)
            settings = replace(usual, epochs=1, min_steps=4, batch_size=8, precision="fp32")
            recipe = Recipe((task,), max_train=16, settings=settings)
            before = train(start) if start else (None, None)
            recipe = replace(recipe, start=before[0])
            made[name, start] = recipe, backbone.train(recipe, files, out, before[1])
        return made[name, start]

    return train


@pytest.mark.parametrize("name", FIRST)
def test_a_training_gives_the_numbers_that_its_answers_promise(trained, name):
    assert HuggingFace.answers == Distilled.answers == 1
    expected = np.array(FIRST[name])
    assert trained(name)[1].outputs[: len(expected)] == pytest.approx(expected, abs=TOLERANCE)


def test_a_transfer_and_a_representation_do_too(trained):
    assert trained("mini-sts-b", "mini-rte")[1].outputs[:3] == pytest.approx(np.array(TRANSFERRED), abs=TOLERANCE)
    model = load_parts().backbones["minilm-2l"]
    seen = model.represent(trained("mini-rte")[1], ("The dog runs.",), Files(offline=True))
    assert seen[0, :4] == pytest.approx(np.array(REPRESENTED), abs=TOLERANCE)
