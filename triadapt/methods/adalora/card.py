"""AdaLoRA at a glance."""

from triadapt.methods.card import Card

CARD = Card(
    formula="dW = s B diag(E) A",
    parameters="r (in + out + 1), with r the start rank until triplets are masked",
    adapts="A, B and the values E of triplets. It starts wide and masks the triplets with the smallest sensitivity, "
    "down to a budget.",
    fixed="The frozen weight, the scale s, the start rank, the budget and its cubic schedule.",
    choose="You can afford to start above the budget, and want triplets to be judged over many steps before they go.",
    avoid="Memory at the start is the limit, or training is short.",
    paper="AdaLoRA: Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning",
    source="https://arxiv.org/abs/2303.10512",
    notes=("It is PEFT's, driven so that its orthogonality term stays out of the loss that is shown.",),
)
