"""The tasks of GLUE (arXiv 1804.07461) on which the papers measure, as settings of a dataset of the hub."""

from __future__ import annotations

from typing import Any

DATASET = "nyu-mll/glue"


def _of(subset: str, text: str, text_pair: str = "", **more: str) -> dict[str, Any]:
    return {"dataset": DATASET, "subset": subset, "text": text, "text_pair": text_pair, "label": "label", **more}


GLUE: dict[str, dict[str, Any]] = {
    "SST-2": _of("sst2", "sentence"),
    "CoLA": _of("cola", "sentence", metric="matthews"),
    "MRPC": _of("mrpc", "sentence1", "sentence2"),
    "STS-B": _of("stsb", "sentence1", "sentence2", kind="regression"),
    "QQP": _of("qqp", "question1", "question2"),
    "MNLI": _of("mnli", "premise", "hypothesis", dev_split="validation_matched"),
    "QNLI": _of("qnli", "question", "sentence"),
    "RTE": _of("rte", "sentence1", "sentence2"),
}
