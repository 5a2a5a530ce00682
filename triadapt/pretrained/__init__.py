"""Pretrained models: where they come from, what they are, which of their matrices are adapted."""
