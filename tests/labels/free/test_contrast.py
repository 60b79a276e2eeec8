"""Embeddings of images and exemplars."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from paring.labels.free.contrast import Embedding, centred, exemplar_embeddings, pooled


def test_the_mean_is_taken_by_weight() -> None:
    torch.manual_seed(0)
    features, weights = torch.randn(2, 3, 4, 5), torch.rand(2, 4, 5)
    found = pooled(features, weights)
    for k in range(2):
        by_hand = sum(
            features[k, :, y, x] * weights[k, y, x] for y in range(4) for x in range(5)
        ) / float(weights[k].sum())
        assert torch.allclose(found[k], by_hand, atol=1e-5)


def test_a_new_embedding_leaves_features_as_they_are() -> None:
    torch.manual_seed(0)
    features = torch.randn(1, 6, 4, 5)
    masks = torch.zeros(2, 8, 10)
    masks[0, :2, :2], masks[1] = 1, 1
    found = Embedding(6).of_masks(features, masks)
    assert torch.allclose(found[0], features[0, :, 0, 0], atol=1e-5)
    assert torch.allclose(found[1], features[0].mean(dim=(1, 2)), atol=1e-5)
    assert Embedding(6).of_masks(features, masks[:0]).shape == (0, 6)


def test_the_guide_is_how_features_agree_with_their_keys_from_0_to_1() -> None:
    torch.manual_seed(0)
    embedding, features = Embedding(6), torch.randn(2, 6, 4, 5)
    guide = embedding.guide(features)
    cosine = torch.nn.functional.cosine_similarity(features, embedding.key(features), dim=1)
    for k in range(2):
        low, top = cosine[k].min(), cosine[k].max()
        assert torch.allclose(guide[k], (cosine[k] - low) / (top - low), atol=1e-5)
    assert torch.allclose(embedding.of_images(features), pooled(features, guide), atol=1e-5)


def test_embeddings_learn_and_the_guide_with_them() -> None:
    embedding = Embedding(4)
    features = torch.randn(2, 4, 3, 3, requires_grad=True)
    embedding.of_images(features).square().sum().backward()
    assert features.grad is not None
    assert all(
        float(p.grad.abs().sum()) > 0 for p in (embedding.key.weight, embedding.turned.weight)
    )


def test_centred_vectors_differ_from_the_mean_of_the_pool() -> None:
    pool = torch.tensor([[3.0, 0.0], [0.0, 5.0]])
    found, others = centred(torch.tensor([[2.0, 0.0]]), pool)
    assert torch.allclose(others, torch.tensor([[0.5, -0.5], [-0.5, 0.5]]))
    assert torch.allclose(found, torch.tensor([[0.5, -0.5]]))
    one = torch.ones(3, 2)
    assert centred(one, one[:0])[0] is one


def test_an_exemplar_is_its_mean_under_its_mask() -> None:
    torch.manual_seed(0)
    features, masks = torch.randn(2, 3, 2, 2), torch.zeros(2, 4, 4)
    masks[0, :2, 2:], masks[1] = 1, 1
    found = exemplar_embeddings(features, masks)
    assert torch.allclose(found[0], features[0, :, 0, 1], atol=1e-5)
    assert torch.allclose(found[1], features[1].mean(dim=(1, 2)), atol=1e-5)
    assert exemplar_embeddings(features[:0], masks[:0]).shape == (0, 3)
