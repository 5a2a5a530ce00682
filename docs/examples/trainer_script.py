"""A training with the Trainer that the app shows as it goes: `python docs/examples/trainer_script.py`, and `make app`.

Model and data are made up and tiny, so it takes seconds; the two lines marked are all that watching needs.
"""

import torch
from peft import get_peft_model
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

from triadapt import RankGrowthCallback, TriAdaptLoraConfig

# isort: split
from triadapt import RankRecorder  # the first

torch.manual_seed(0)
config = BertConfig(
    vocab_size=64, hidden_size=32, num_hidden_layers=3, num_attention_heads=2, intermediate_size=64, num_labels=2
)
words = torch.randint(0, 64, (512, 8))
rows = [{"input_ids": row, "labels": int(row[0] > row[1])} for row in words]
model = get_peft_model(
    BertForSequenceClassification(config),
    TriAdaptLoraConfig(target_modules=["query", "key", "value"], reference_rank=4, modules_to_save=["classifier"]),
)
args = TrainingArguments(
    max_steps=200, per_device_train_batch_size=16, learning_rate=5e-3, eval_strategy="steps", eval_steps=50,
    save_strategy="no", report_to=[], use_cpu=True,
)  # fmt: skip
trainer = Trainer(
    model, args, train_dataset=rows[:448], eval_dataset=rows[448:],
    callbacks=[RankGrowthCallback(warmup=10, interval=10, growth="non-linear")],
)  # fmt: skip
trainer.add_callback(RankRecorder())  # the second
trainer.train()
