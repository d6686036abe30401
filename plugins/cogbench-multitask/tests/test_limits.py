"""Without an effect of sharing a training is the target's own, to the bit; and strong soft sharing is hard sharing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cogbench_multitask.sharings import Joint, Soft
from numpy.testing import assert_array_equal
from safetensors.torch import load_file
from scipy.optimize import minimize

from cogbench import Files, Recipe, load_parts

FILES = Files(offline=True)
PAIRS = [("mini-cola", "mini-rte"), ("mini-conll-2003", "mini-squad-v2"), ("mini-sts-b", "mini-conll-2003")]


@pytest.fixture(scope="module")
def parts():
    return load_parts()


@pytest.fixture(scope="module")
def train(parts, tmp_path_factory):
    """Train tasks for a few steps on few examples."""
    alone = replace(parts.backbones["minilm-2l"], epochs=2, min_steps=0, batch_size=16, max_length=64)

    def trained(backbone, *names, max_train=40):
        tasks = tuple(parts.tasks[name] for name in names)
        backbone = replace(backbone, backbone=alone) if backbone else alone
        sharing = backbone.sharing if len(tasks) > 1 else "sequential"
        recipe = Recipe(tasks, seed=3, max_train=max_train, sharing=sharing)
        settings = alone.settings(tasks[0].kind, max_train)
        return backbone.train(replace(recipe, settings=settings), FILES, tmp_path_factory.mktemp("model"))

    return trained


def weights(checkpoint):
    return load_file(checkpoint.folder / "model.safetensors")


@pytest.mark.parametrize("pair", PAIRS)
def test_a_joint_training_with_an_auxiliary_weight_of_0_is_the_training_of_the_target_alone(pair, train):
    alone = train(None, pair[0])
    joint = train(Joint(auxiliary_weight=0.0), *pair)
    assert_array_equal(joint.outputs, alone.outputs)
    own, of_joint = weights(alone), weights(joint)
    assert own.keys() <= of_joint.keys()
    assert all(torch.equal(own[name], of_joint[name]) for name in own)
    nearly = train(Joint(auxiliary_weight=1e-30), *pair)
    np.testing.assert_allclose(nearly.outputs, alone.outputs, atol=1e-6)
    assert np.abs(train(Joint(), *pair).outputs - alone.outputs).max() > 1e-4


@pytest.mark.parametrize("pair", PAIRS[:2])
def test_encoders_without_a_penalty_are_two_trainings(pair, train):
    soft = train(Soft(penalty=0.0), *pair)
    assert_array_equal(soft.outputs, train(None, pair[0]).outputs)
    assert_array_equal(soft.others[pair[1]], train(None, pair[1]).outputs)
    assert np.abs(train(Soft(penalty=1.0), *pair).outputs - soft.outputs).max() > 1e-4


def test_one_training_of_tasks_that_weigh_alike_does_not_depend_on_which_is_first(train):
    """But for the length to which the gradients of the encoder are cut, together with those of the first head."""
    one, other = train(Joint(), "mini-cola", "mini-rte"), train(Joint(), "mini-rte", "mini-cola")
    assert np.corrcoef(one.outputs.ravel(), other.others["mini-cola"].ravel())[0, 1] > 0.95


class Linear(torch.nn.Module):
    """A linear encoder, a row for each word, under a linear head; as much of a model as sharing asks for."""

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.base_model = torch.nn.Module()
        self.base_model.words = torch.nn.Embedding(6, 1, dtype=torch.float64)
        self.head = torch.nn.Linear(1, 1, dtype=torch.float64)

    def get_input_embeddings(self):
        return self.base_model.words

    def loss(self, counts, goal):
        return (self.head(counts @ self.base_model.words.weight)[:, 0] - goal).square().mean()


def test_with_a_large_penalty_soft_sharing_is_hard_sharing_of_a_linear_encoder():
    rng = np.random.default_rng(0)
    counts = torch.tensor(rng.poisson(1.0, (30, 6)), dtype=torch.float64)
    goals = torch.tensor(rng.normal(size=(2, 30)))

    def losses(sharing):
        models = [Linear(1), Linear(1)]
        arrangement = sharing.arrange(models, [], seed=0, files=FILES)
        parameters = [*{id(p): p for model in models for p in model.parameters()}.values()]

        def total(numbers):
            torch.nn.utils.vector_to_parameters(torch.tensor(numbers), parameters)
            loss = sum(model.loss(counts, goal) for model, goal in zip(models, goals, strict=True))
            return loss if arrangement.penalty is None else loss + arrangement.penalty()

        def gradient(numbers, graph=False):
            gradients = torch.autograd.grad(total(numbers), parameters, create_graph=graph)
            return torch.cat([g.reshape(-1) for g in gradients])

        def hessian(numbers):
            return np.stack(
                [
                    np.concatenate([g.reshape(-1) for g in torch.autograd.grad(one, parameters, retain_graph=True)])
                    for one in gradient(numbers, graph=True)
                ]
            )

        start = torch.nn.utils.parameters_to_vector(parameters).detach().numpy()
        least = minimize(lambda x: total(x).item(), start, jac=gradient, hess=hessian, method="trust-exact")
        total(least.x)
        return [model.loss(counts, goal).item() for model, goal in zip(models, goals, strict=True)]

    hard, soft, apart = losses(Joint()), losses(Soft(penalty=1e4)), losses(Soft(penalty=0.0))
    np.testing.assert_allclose(soft, hard, atol=1e-4)
    assert max(np.subtract(hard, apart)) > 1e-2
