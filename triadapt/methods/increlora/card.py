"""IncreLoRA at a glance."""

from triadapt.methods.card import Card

CARD = Card(
    formula="dW = s B diag(E) A",
    parameters="r (in + out + 1), and as many again for each rank in reserve",
    adapts="A, B and the values E of rank-1 triplets. The top-h matrices by gradient score gain ranks at each event; a "
    "reserve trains before it is granted.",
    fixed="The frozen weight, the scale s, h, the warm-up, the interval and the budget.",
    choose="You have a budget of ranks and trust gradients to tell where they are needed.",
    avoid="A pass over dW times its gradient at every step is too dear, or an orthogonality term is unwelcome.",
    paper="IncreLoRA: Incremental Parameter Allocation Method for Parameter-Efficient Fine-tuning",
    source="https://arxiv.org/abs/2308.12043",
    notes=("The scale is constant; the authors' division by the current rank is a setting.",),
)
