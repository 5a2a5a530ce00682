"""A bare loop over PEFT's own AdaLoRA that the app shows while it goes: `python docs/examples/adalora_loop.py`, and
`make app`. Model and data are made up and tiny; the lines marked are all that watching needs.
"""

import torch
from peft import AdaLoraConfig, get_peft_model
from transformers import BertConfig, BertForSequenceClassification

from triadapt import RankRecorder  # the first

STEPS = 200
torch.manual_seed(0)
config = BertConfig(
    vocab_size=64, hidden_size=32, num_hidden_layers=3, num_attention_heads=2, intermediate_size=64, num_labels=2
)
model = get_peft_model(
    BertForSequenceClassification(config),
    AdaLoraConfig(
        init_r=6, target_r=4, tinit=10, tfinal=50, deltaT=10, total_step=STEPS,
        target_modules=["query", "key", "value"], modules_to_save=["classifier"],
    ),
)  # fmt: skip
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-3)
model.train()
with RankRecorder(model, optimizer):  # the second
    for step in range(STEPS):
        words = torch.randint(0, 64, (16, 8))
        model(input_ids=words, labels=(words[:, 0] > words[:, 1]).long()).loss.backward()
        optimizer.step()
        model.base_model.update_and_allocate(step)
        optimizer.zero_grad()
