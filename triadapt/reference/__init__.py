"""Slow twins of the methods: every update formed densely, every block a tensor of its own, one line per formula.

They exist to be read beside the papers and to be compared with the tuners in the tests; nothing that trains uses them.
"""

from triadapt.reference.adalora import AdaLoraTwin, Triplets
from triadapt.reference.dense import dense_forward
from triadapt.reference.increlora import IncreLoraTwin, Triplet
from triadapt.reference.lora import LoraTwin
from triadapt.reference.surm import SurmTwin
from triadapt.reference.tiedlora import TiedLoraTwin
from triadapt.reference.triadaptlora import Block, TriAdaptLoraTwin

__all__ = [
    "AdaLoraTwin",
    "Block",
    "IncreLoraTwin",
    "LoraTwin",
    "SurmTwin",
    "TiedLoraTwin",
    "TriAdaptLoraTwin",
    "Triplet",
    "Triplets",
    "dense_forward",
]
