"""AdaMSS at a glance."""

from triadapt.methods.card import Card

CARD = Card(
    formula="dW = Σₖ Sₖ Bₖ Aₖ P, with P the leading right singular vectors of the frozen weight and Sₖ the outputs of "
    "subspace k",
    parameters="K r R + out r: K subspaces of rank r over R singular vectors, until subspaces are frozen; "
    "5, 1 and at most 100, unless the settings say otherwise",
    adapts="Aₖ and Bₖ of every subspace. Those with the least importance are frozen as they are, down to the budget.",
    fixed="The frozen weight, its singular vectors P, and the groups Sₖ, which k-means finds once among the outputs.",
    choose="The change is thought to lie in what the pretrained weight already spans, and gradients and optimizer "
    "state of what matters least are to be saved late in training.",
    avoid="The frozen weights have no structure, such as random ones, or they are held in 4 bits.",
    paper="AdaMSS: Adaptive Multi-Subspace Approach for Parameter-Efficient Fine-Tuning",
    source="https://openreview.net/forum?id=8ZdWmpYxT0",
    notes=(
        "It is PEFT's, over Linear layers only, with a scale of 1; where a layer has a bias, it moves too.",
        "Above rank 1, a subspace that k-means gives fewer outputs has only so many ranks; size and plan are then the "
        "most there can be.",
        "PEFT 0.21 keeps one subspace fewer than it is told at each mask; here so many stay, of equals the first.",
        "PEFT reaches the target only if its last step is a multiple of the interval; here it always is one.",
        "What is frozen keeps its share of dW. PEFT's adapter file does not say what was frozen, nor which output "
        "belongs to which subspace: PEFT finds groups anew on loading, on another machine or with other threads often "
        "others, and the adapter is then wrong without a word.",
        "A run's checkpoints hold the groups. An exported adapter has them beside it, and its README says how they are "
        "put back; its lora form needs none.",
    ),
)
