"""Without an effect of sharing a training is the target's own, to the bit; and strong soft sharing is hard sharing."""

import numpy as np
import pytest
import torch
from cogbench_multitask.sharings import CrossStitch, Hierarchical, Joint, Soft
from numpy.testing import assert_array_equal
from safetensors.torch import load_file
from scipy.optimize import minimize

from cogbench import Files

FILES = Files(offline=True)
PAIRS = [
    ("mini-cola", "mini-rte"),
    ("mini-conll-2003", "mini-squad-v2"),
    ("mini-sts-b", "mini-conll-2003"),
    ("mini-ms-marco", "mini-cola"),  # an example of the first is several rows
]


def weights(checkpoint):
    return load_file(checkpoint.folder / "model.safetensors")


@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
def test_a_joint_training_with_an_auxiliary_weight_of_0_is_the_training_of_the_target_alone(pair, train):
    few = 8 if pair[0] == "mini-ms-marco" else 40
    alone = train(None, pair[0], max_train=few)
    joint = train(Joint(auxiliary_weight=0.0), *pair, max_train=few)
    assert joint.steps == alone.steps
    assert_array_equal(joint.outputs, alone.outputs)
    own, of_joint = weights(alone), weights(joint)
    assert own.keys() <= of_joint.keys()
    assert all(torch.equal(own[name], of_joint[name]) for name in own)
    nearly = train(Joint(auxiliary_weight=1e-30), *pair, max_train=few)
    np.testing.assert_allclose(nearly.outputs, alone.outputs, atol=1e-6)
    assert np.abs(train(Joint(), *pair, max_train=few).outputs - alone.outputs).max() > 1e-4


@pytest.mark.parametrize("pair", PAIRS[:2], ids="+".join)
@pytest.mark.parametrize(
    ("without", "with_effect"),
    [(Soft(penalty=0.0), Soft(penalty=1.0)), (CrossStitch(keep=1.0, frozen=True), CrossStitch())],
    ids=["soft", "cross-stitch"],
)
def test_encoders_that_nothing_joins_are_two_trainings(without, with_effect, pair, train):
    apart = train(without, *pair)
    assert_array_equal(apart.outputs, train(None, pair[0]).outputs)
    assert_array_equal(apart.others[pair[1]], train(None, pair[1]).outputs)
    alone, of_pair = weights(train(None, pair[0])), weights(apart)
    assert alone.keys() == of_pair.keys()
    assert all(torch.equal(alone[name], of_pair[name]) for name in alone)
    assert np.abs(train(with_effect, *pair).outputs - apart.outputs).max() > 1e-4


@pytest.mark.parametrize("pair", PAIRS[:2], ids="+".join)
def test_a_hierarchy_of_all_layers_is_hard_sharing(pair, train):
    joint, whole = train(Joint(auxiliary_weight=1.0), *pair), train(Hierarchical(layer=2), *pair)
    assert_array_equal(whole.outputs, joint.outputs)
    assert_array_equal(whole.others[pair[1]], joint.others[pair[1]])
    assert np.abs(train(Hierarchical(layer=1), *pair).outputs - joint.outputs).max() > 1e-4


@pytest.mark.parametrize("sharing", [Hierarchical(auxiliary_weight=0.0), Soft(auxiliary_weight=0.0, penalty=0.0)])
def test_auxiliary_tasks_without_weight_leave_the_target_alone(sharing, train):
    assert_array_equal(train(sharing, *PAIRS[0]).outputs, train(None, PAIRS[0][0]).outputs)


def test_one_training_of_tasks_that_weigh_alike_does_not_depend_on_which_is_first(train):
    """But for the length to which the gradients of the encoder are cut, together with those of the first head."""
    one, other = train(Joint(), *PAIRS[1]), train(Joint(), *PAIRS[1][::-1])
    assert np.corrcoef(one.outputs.ravel(), other.others[PAIRS[1][0]].ravel())[0, 1] > 0.95


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
