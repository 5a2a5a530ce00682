"""Slow twins of the methods: every update formed densely, every block a tensor of its own, one line per formula.

They exist to be read beside the papers and to be compared with the tuners in the tests; nothing that trains uses them.
"""

from triadapt.reference.adalora import AdaLoraTwin, Triplets
from triadapt.reference.adamss import AdamssTwin, Subspace
from triadapt.reference.dense import dense_forward
from triadapt.reference.increlora import IncreLoraTwin, Triplet
from triadapt.reference.loha import LohaTwin
from triadapt.reference.lora import LoraTwin
from triadapt.reference.qlora import nf4_levels, rounded_to_nf4
from triadapt.reference.surm import SurmTwin
from triadapt.reference.tiedlora import TiedLoraTwin
from triadapt.reference.triadaptlora import Block, TriAdaptLoraTwin
from triadapt.reference.vera import VeraTwin

__all__ = [
    "AdaLoraTwin",
    "AdamssTwin",
    "Block",
    "IncreLoraTwin",
    "LohaTwin",
    "LoraTwin",
    "Subspace",
    "SurmTwin",
    "TiedLoraTwin",
    "TriAdaptLoraTwin",
    "Triplet",
    "Triplets",
    "VeraTwin",
    "dense_forward",
    "nf4_levels",
    "rounded_to_nf4",
]
