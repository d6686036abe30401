"""Cross-stitch: the mixed states are what the formula says, a checkpoint read back is stitched, others are refused."""

import numpy as np
import pytest
import torch
import transformers
from cogbench_multitask.cross_stitch import FILE, CrossStitch, learned_mixing, refuse_unstitchable, stitch
from safetensors.torch import load_file

from cogbench import Checkpoint, Files, UnusableData

FILES = Files(offline=True)
PAIR = ("mini-cola", "mini-rte")
SENTENCES = ("The small dog sleeps.", "A town by the sea is what she likes.")
TINY = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 50}


def bert(seed):
    torch.manual_seed(seed)
    return transformers.BertModel(transformers.BertConfig(**TINY))


def test_each_state_is_the_mixture_of_the_states_of_all_encoders():
    encoders, matrices = [bert(seed).eval() for seed in range(3)], torch.rand(3, 3, 3)
    ids, mask = torch.tensor([[5, 6, 7], [8, 9, 0]]), torch.tensor([[1, 1, 1], [1, 1, 0]])
    with torch.no_grad():
        seen = torch.where(mask[:, None, None, :].bool(), 0.0, torch.finfo(torch.float32).min)
        states = [encoder.embeddings(ids) for encoder in encoders]
        for place in range(3):
            if place:
                layers = [encoder.encoder.layer[place - 1] for encoder in encoders]
                states = [layer(state, seen) for layer, state in zip(layers, states, strict=True)]
            states = [sum(row[k] * state for k, state in enumerate(states)) for row in matrices[place]]
        stitch(encoders, matrices.__getitem__, seed=0)
        for encoder, state in zip(encoders, states, strict=True):
            out = encoder(ids, attention_mask=mask).last_hidden_state
            torch.testing.assert_close(out[mask.bool()], state[mask.bool()], rtol=1e-5, atol=1e-5)


def test_no_encoder_gets_weights_or_names_of_another():
    encoders = [bert(0), bert(1)]
    before = [[(name, id(weight)) for name, weight in encoder.named_parameters()] for encoder in encoders]
    stitch(encoders, learned_mixing(0.9, 100.0, n_places=3, n_tasks=2), seed=0)
    assert [[(name, id(weight)) for name, weight in encoder.named_parameters()] for encoder in encoders] == before


def test_the_dropout_of_the_others_takes_no_number_from_the_own_stream():
    ids = torch.tensor([[5, 6, 7, 8]])

    def states(matrix, n_times=2):
        encoders = [bert(0).train(), bert(1).train()]
        stitch(encoders, lambda place: matrix, seed=0)
        for _ in range(n_times):
            torch.manual_seed(4)
            yield encoders[0](ids).last_hidden_state

    alone = bert(0).train()
    torch.manual_seed(4)
    own = alone(ids).last_hidden_state
    assert all(torch.equal(state, own) for state in states(torch.eye(2)))
    first, second = states(torch.full((2, 2), 0.5))  # the others draw anew each time
    assert not torch.allclose(first, second)
    again, _ = states(torch.full((2, 2), 0.5))
    assert torch.equal(first, again)


def test_each_matrix_begins_with_what_is_kept_and_shares_out_the_rest():
    mixing = learned_mixing(0.7, 100.0, n_places=2, n_tasks=4)
    expected = np.full((4, 4), 0.1)
    np.fill_diagonal(expected, 0.7)
    for place in range(2):
        np.testing.assert_allclose(mixing(place).detach(), expected, rtol=1e-6)
    with torch.no_grad():
        mixing.change[1, 0, 2] = 0.001
    np.testing.assert_allclose(mixing(1).detach()[0], [0.7, 0.1, 0.2, 0.1], rtol=1e-5)


@pytest.fixture(scope="module")
def stitched(train):
    return train(CrossStitch(), *PAIR)


def logits(model, backbone, data):
    with torch.inference_mode():
        return np.concatenate([model(**batch).logits.cpu().numpy() for batch in backbone.batches(data, FILES)])


def test_a_checkpoint_read_back_answers_as_at_the_end_of_the_training(stitched, alone, task):
    backbone, data = CrossStitch(backbone=alone), task(PAIR[0]).load("evaluation", FILES)
    read_back = Checkpoint(stitched.folder)
    np.testing.assert_allclose(
        logits(backbone.model(read_back, FILES), alone, data), stitched.outputs, rtol=1e-4, atol=1e-5
    )
    unstitched = logits(alone.model(read_back, FILES), alone, data)
    assert np.abs(unstitched - stitched.outputs).max() > 1e-4


def test_a_representation_goes_through_all_encoders(stitched, alone):
    backbone, checkpoint = CrossStitch(backbone=alone), Checkpoint(stitched.folder)
    vectors = backbone.represent(checkpoint, SENTENCES, FILES)
    assert vectors.shape == (2, 384)
    assert vectors.dtype == np.float32
    assert np.abs(vectors - alone.represent(checkpoint, SENTENCES, FILES)).max() > 1e-3
    bare = backbone.represent(None, SENTENCES, FILES)
    np.testing.assert_allclose(bare, alone.represent(None, SENTENCES, FILES), atol=1e-6)


def test_the_matrices_are_learned_and_saved(stitched, train):
    matrices = load_file(stitched.folder / FILE)["matrices"]
    assert matrices.shape == (3, 2, 2)
    start = torch.tensor([[0.9, 0.1], [0.1, 0.9]])
    assert ((matrices - start).abs().amax(dim=(1, 2)) > 1e-3).all()
    matrices = load_file(train(CrossStitch(frozen=True), *PAIR).folder / FILE)["matrices"]
    torch.testing.assert_close(matrices, start.expand(3, 2, 2))


CONFIGS = {
    "BertModel": transformers.BertConfig(**TINY),
    "RobertaModel": transformers.RobertaConfig(**TINY),
    "ElectraModel": transformers.ElectraConfig(**TINY, embedding_size=8),
    "DistilBertModel": transformers.DistilBertConfig(dim=8, n_layers=2, n_heads=2, hidden_dim=16, vocab_size=50),
}
NOT_CONFIGS = {
    "GPT2Model has no module `embeddings`": transformers.GPT2Config(n_embd=8, n_layer=2, n_head=2, vocab_size=50),
    "AlbertModel has no list of layers": transformers.AlbertConfig(**TINY, embedding_size=8),
    "embeddings_project.weight": transformers.ElectraConfig(**TINY, embedding_size=4),
    "encoder.relative_attention_bias.weight": transformers.MPNetConfig(**TINY),
    "encoder.rel_embeddings.weight": transformers.DebertaV2Config(**TINY, relative_attention=True),
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_an_encoder_of_embeddings_and_layers_is_stitched(kind):
    encoders = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        encoders.append(transformers.AutoModel.from_config(CONFIGS[kind]).eval())
    refuse_unstitchable(encoders[0])
    ids, mask = torch.tensor([[5, 6, 7], [8, 9, 1]]), torch.tensor([[1, 1, 1], [1, 1, 0]])
    with torch.no_grad():
        apart = [encoder(ids, attention_mask=mask).last_hidden_state for encoder in encoders]
        swap = torch.eye(2).flip(0)
        stitch(encoders, lambda place: swap if place == 2 else torch.eye(2), seed=0)
        swapped = [encoder(ids, attention_mask=mask).last_hidden_state for encoder in encoders]
    torch.testing.assert_close(swapped, apart[::-1])


@pytest.mark.parametrize("words", NOT_CONFIGS)
def test_another_encoder_is_refused_in_one_line(words):
    encoder = transformers.AutoModel.from_config(NOT_CONFIGS[words])
    with pytest.raises(UnusableData) as refused:
        refuse_unstitchable(encoder)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("options", [{"keep": 1.5}, {"keep": -0.1}, {"pace": -1.0}])
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(UnusableData, match="expected"):
        CrossStitch(**options)
