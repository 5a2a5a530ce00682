"""What any task on labelled texts lets the user choose."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from triadapt.pretrained.settings import PretrainedSettings

Pooling = Literal["auto", "mean", "cls", "last", "pooler"]
Kind = Literal["classification", "regression"]
Metric = Literal["auto", "accuracy", "f1", "matthews", "pearson", "spearman"]
METRICS: dict[Kind, tuple[Metric, ...]] = {
    "classification": ("accuracy", "f1", "matthews"),
    "regression": ("pearson", "spearman"),
}
"""Of each kind, the usual one first."""


class LabelledSettings(PretrainedSettings):
    """A pretrained model with a fresh head, and how rows become inputs."""

    eval_rows: int = Field(300, ge=8, le=200_000, description="Held-out rows scored at each evaluation.")
    max_tokens: int = Field(64, ge=8, le=8192, description="Longest input in tokens.")
    pooling: Pooling = Field(
        "auto", description="How token states become one vector: mean, cls (the first token), last (the last one), "
        "pooler (cls through a trained layer); auto: mean, of decoders last.",
    )  # fmt: skip
    head_dropout: float = Field(0.0, ge=0, lt=1, description="Dropout before the layers of the head.")
    head_alone: bool = Field(True, description="Train the head without an adapter too, as a line to compare with.")

    @property
    def of_kind(self) -> Kind:
        """What is learned."""
        return "classification"

    def measured(self) -> tuple[str, bool]:
        """Name of the metric, and whether more of it is better."""
        return "accuracy", True


class TableSettings(LabelledSettings):
    """Rows of a table: columns, what is learned from them, and what is measured."""

    text: str = Field("text", max_length=300, description="Column of the text.")
    text_pair: str = Field("", max_length=300, description="Column of the second text, where rows are pairs.")
    label: str = Field("label", max_length=300, description="Column of the class, or of the number.")
    kind: Kind = Field("classification", description="classification: a class a row; regression: a number.")
    metric: Metric = Field(
        "auto", description="accuracy, f1 (of the second of two classes, else the mean over classes) or matthews; of "
        "regression pearson or spearman; auto: the first.",
    )  # fmt: skip
    train_rows: int = Field(20_000, ge=16, le=2_000_000, description="Most training rows; the first.")

    @property
    def of_kind(self) -> Kind:
        """What is learned."""
        return self.kind

    def measured(self) -> tuple[str, bool]:
        """Name of the metric, and whether more of it is better."""
        return (METRICS[self.kind][0] if self.metric == "auto" else self.metric), True

    def metric_problems(self, section: str) -> list[str]:
        """A line where the metric is not one of what is learned."""
        known = METRICS[self.kind]
        if self.metric in ("auto", *known):
            return []
        return [f"{section}.metric = {self.metric!r}: not a metric of {self.kind}; choose {', '.join(known)}"]

    def check(self, config: Any) -> list[str]:
        """What can be known without opening anything."""
        return []
