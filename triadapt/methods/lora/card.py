"""LoRA at a glance."""

from triadapt.methods.card import Card

CARD = Card(
    formula="dW = s B A",
    parameters="r (in + out)",
    adapts="A and B of every matrix. Nothing changes during training but their values.",
    fixed="The frozen weight, the rank, the same for every matrix, and the scale s.",
    choose="Always first: it is what every other method has to beat.",
    avoid="The parameters of a rank in every matrix are more than you can store or serve.",
    paper="LoRA: Low-Rank Adaptation of Large Language Models",
    source="https://arxiv.org/abs/2106.09685",
    notes=("It is PEFT's. As an oracle, on the planted task, its ranks sit where they are needed.",),
)
