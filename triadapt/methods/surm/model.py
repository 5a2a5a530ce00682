"""The SURM tuner."""

from __future__ import annotations

from triadapt.methods.adapter_model import AdapterModel
from triadapt.methods.surm.layer import SurmLinear


class SurmModel(AdapterModel):
    """Adapts linear layers by structured matrices, whose rank may be full (arXiv 2406.17740)."""

    prefix: str = "surm_"
    tuner_layer_cls = SurmLinear
    layer_class = SurmLinear
