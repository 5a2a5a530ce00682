"""Extractive question answering in the format of SQuAD v2."""
