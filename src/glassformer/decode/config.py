"""How to write an answer: every choice of decoding, with its default, in one place; saved with the model."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from glassformer.errors import UserError, unknown_name


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """Every choice of decoding. Raises UserError, naming the field, its value, the rule and a way out."""

    beam: int = 1  # hypotheses kept while searching; 1: greedy, the likeliest token each time
    n_best: int = 1  # answers for each sentence: of a search at most `beam`, when sampling any number of draws
    length_penalty: float = 0.6  # alpha of score = log p / ((5 + length) / 6)^alpha (section 6.1); 0: the log p itself
    sample: bool = False  # draw each token by its probability instead of searching; `beam` then plays no part
    temperature: float = 1.0  # when sampling: logits are divided by it; below 1 safer, above 1 bolder
    top_k: int = 0  # when sampling: among the k likeliest tokens only; 0: all
    top_p: float = 1.0  # when sampling: among the likeliest tokens that together hold this share, at least one
    min_p: float = 0.0  # when sampling: among tokens at least min_p times as likely as the likeliest
    seed: int | None = None  # when sampling: the same seed draws the same answers; None: new ones each time
    max_ratio: float = 2.0  # an answer has at most max_ratio x source tokens (</s> counted) + max_extra tokens,
    max_extra: int = 10  # its </s> included, and never more than the model's max_length
    forced_end: bool = True  # the last token that limit allows is </s>; False: a longer answer is cut off there
    forbidden_ids: tuple[int, ...] = ()  # target ids never written; padding and start never are
    batch_tokens: int = 4096  # budget of one batch: hypotheses x source tokens, padding included

    def __post_init__(self) -> None:
        for name, rule, fits in (
            ("beam", "at least 1", self.beam >= 1),
            ("n_best", "at least 1", self.n_best >= 1),
            ("length_penalty", "0 or more, and finite", 0 <= self.length_penalty < float("inf")),
            ("temperature", "above 0 (for no chance at all, leave out sample)", 0 < self.temperature < float("inf")),
            ("top_k", "0 (all tokens) or more", self.top_k >= 0),
            ("top_p", "above 0 and at most 1", 0 < self.top_p <= 1),
            ("min_p", "at least 0 and at most 1", 0 <= self.min_p <= 1),
            ("seed", "None, 0 or more", self.seed is None or self.seed >= 0),
            ("max_ratio", "0 or more, and finite", 0 <= self.max_ratio < float("inf")),
            ("max_extra", "0 or more", self.max_extra >= 0),
            ("forbidden_ids", "ids, 0 or more", all(token >= 0 for token in self.forbidden_ids)),
            ("batch_tokens", "at least 1", self.batch_tokens >= 1),
        ):
            if not fits:
                raise UserError(f"{name}={getattr(self, name)} does not fit: it must be {rule}.")
        if not self.sample and self.n_best > self.beam:
            raise UserError(
                f"n_best={self.n_best} is more than beam={self.beam}: a search knows only the hypotheses it keeps. "
                f"Take beam={self.n_best} or more."
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The config of a dictionary such as `dataclasses.asdict` makes of one, lists for tuples allowed.

        Raises UserError for an unknown name (with near ones) and for a value of another type.
        """
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise unknown_name("setting of decoding", name, known)
        try:
            checked: Self = TypeAdapter(cls).validate_json(json.dumps(dict(values)), strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            if isinstance(reason := first.get("ctx", {}).get("error"), UserError):
                raise reason from None
            name, value = str(first["loc"][0]), values[str(first["loc"][0])]
            raise UserError(f"{name}={value!r} does not fit a setting of decoding: {first['msg']}.") from error
        return checked

    def limit(self, src_tokens: int, max_length: int) -> int:
        """How many tokens the answer to a source of so many may have, </s> counted on both sides."""
        return max(1, min(int(src_tokens * self.max_ratio) + self.max_extra, max_length))

    def penalty(self, tokens: float) -> float:
        """What the log probability of `tokens` generated tokens is divided by: ((5 + tokens) / 6)^alpha."""
        return float(((5 + tokens) / 6) ** self.length_penalty)
