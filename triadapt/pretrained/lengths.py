"""How many tokens a model takes at once."""

from __future__ import annotations

from typing import Any

from triadapt.errors import ConfigError

# Their positions are counted from behind the number of the padding token.
_FROM_PADDING = frozenset(
    {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "roberta-prelayernorm", "longformer", "mpnet",
     "data2vec-text", "xmod"}
)  # fmt: skip


def most_tokens(config: Any) -> int | None:
    """The longest input by a model's configuration; None where nothing limits it."""
    most = getattr(config, "max_position_embeddings", None)
    relative = getattr(config, "position_biased_input", True) is False  # DeBERTa
    if not isinstance(most, int) or most < 1 or relative:
        return None
    return most - 1 - (config.pad_token_id or 0) if config.model_type in _FROM_PADDING else most


def check_tokens(config: Any, tokens: int, field: str) -> None:
    """Refuse `tokens`, the value of the setting `field`, where the model takes no more than fewer. Raises ConfigError
    with one line."""
    most = most_tokens(config)
    if most is not None and tokens > most:
        raise ConfigError([f"{field} = {tokens}: the model takes at most {most} tokens; lower it"])
