"""What is measured of classes and of numbers, by scikit-learn and SciPy."""

from __future__ import annotations

import math

import torch
from scipy import stats
from sklearn import metrics
from torch import nn

from triadapt.tasks.labelled.settings import METRICS, Kind


def training_loss(kind: Kind, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of outputs `(rows, classes)`, mean squared error of outputs `(rows, 1)`."""
    if kind == "regression":
        return nn.functional.mse_loss(outputs.squeeze(-1).float(), labels.float())
    return nn.functional.cross_entropy(outputs.float(), labels)


def predicted(kind: Kind, outputs: torch.Tensor) -> torch.Tensor:
    """Class or number of each row, `(rows,)`."""
    return outputs.squeeze(-1) if kind == "regression" else outputs.argmax(-1)


def measure(name: str, predictions: torch.Tensor, labels: torch.Tensor, classes: int) -> float:
    """One metric, from -1 or 0 to 1; `classes` is how many there are, also where rows lack
    some. Where it is not defined, as where all predictions are equal, it is 0."""
    guess, truth = predictions.numpy(), labels.numpy()
    if name == "accuracy":
        return int((guess == truth).sum()) / len(truth)
    if name == "f1":
        if classes == 2:
            return float(metrics.f1_score(truth, guess, zero_division=0))
        return float(metrics.f1_score(truth, guess, labels=range(classes), average="macro", zero_division=0))
    if name == "matthews":
        return float(metrics.matthews_corrcoef(truth, guess))
    if len(set(guess.tolist())) < 2 or len(set(truth.tolist())) < 2:
        return 0.0
    value = (stats.pearsonr if name == "pearson" else stats.spearmanr)(guess, truth).statistic
    return float(value) if math.isfinite(value) else 0.0


def all_of(kind: Kind, first: str, outputs: torch.Tensor, labels: torch.Tensor, classes: int) -> dict[str, float]:
    """`first`, then the others of its kind."""
    names = [first, *(name for name in METRICS[kind] if name != first)]
    guess = predicted(kind, outputs)
    return {name: measure(name, guess, labels, classes) for name in names}
