"""Fits class vectors in closed form, as discriminants of cached embeddings.

It knows nothing about scans, files or pages.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from psmooth.learning.examples import TrainingSet

_SHRINKAGE = 0.05  # of a covariance, towards a multiple of the identity


def fit_discriminants(examples: TrainingSet, levels: int) -> tuple[Tensor, float]:
    """Class vectors in closed form, one set for each noise level of a training set.

    Fisher's linear discriminant (Hastie, Tibshirani & Friedman 2009, §4.3): one Gaussian a class, one covariance for
    all, shrunk by 5 %, classes equally likely; targets may be soft.

    Returns:
        ``(levels, classes, dim)`` in the training set's order, of mean length 1 a level, and the cross-entropy on it.
    """
    parts = zip(examples.embeddings.chunk(levels), examples.targets.chunk(levels), strict=True)
    found = [_discriminant(embeddings.double().cpu(), targets.double().cpu()) for embeddings, targets in parts]
    vectors = torch.stack([vectors / vectors.norm(dim=1).mean() for vectors, _ in found])
    return vectors.float(), sum(loss for _, loss in found) / levels


def _discriminant(embeddings: Tensor, targets: Tensor) -> tuple[Tensor, float]:
    weights = targets.sum(0)[:, None]
    means, center = targets.T @ embeddings / weights, embeddings.mean(0)
    covariance = (embeddings.T @ embeddings - (weights * means).T @ means) / len(embeddings)
    ridge = covariance.diagonal().mean() * torch.eye(len(covariance), dtype=covariance.dtype)
    solved = torch.linalg.solve(torch.lerp(covariance, ridge, _SHRINKAGE), torch.cat([means, center[None]]).T).T
    vectors, one = solved[:-1], solved[-1] / (solved[-1] @ center)  # along `one`, every embedding is 1 or nearly so:
    biases = (vectors * means).sum(1, keepdim=True) / -2  # a bias a class becomes a part of its vector
    vectors = vectors + biases * one
    vectors = vectors - vectors.mean(0)  # no vote changes, and no digits are lost
    return vectors, float(cross_entropy(embeddings @ vectors.T, targets))
