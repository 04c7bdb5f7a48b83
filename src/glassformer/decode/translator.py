"""Text in, text out: the one face of a trained model."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import isnan
from typing import NamedTuple

import torch
from torch import Tensor

from glassformer.data import Vocabularies, Vocabulary
from glassformer.decode.beam import beam_search
from glassformer.decode.config import DecodingConfig
from glassformer.decode.sample import chance, fresh_seed, sample
from glassformer.decode.steps import Hypothesis, likeliest, write
from glassformer.errors import UserError
from glassformer.model.transformer import Transformer

HALF_A_CHARACTER = "\N{REPLACEMENT CHARACTER}"


class Translation(NamedTuple):
    """One answer: its text, what the model thinks of it, and how much of the source it could not read."""

    text: str
    log_prob: float  # of the whole answer, </s> included
    score: float  # log_prob / ((5 + length) / 6)^length_penalty, length = len(token_log_probs)
    tokens: list[int]  # target ids, without <s> and </s>
    token_log_probs: list[float]  # one for each token, and one for </s> unless the answer was cut off before it
    unknown: int  # source symbols that the vocabulary does not know


class Translator:
    """Translate any number of texts, in the order given; how they share batches never changes an answer."""

    def __init__(self, model: Transformer, vocabularies: Vocabularies, config: DecodingConfig | None = None) -> None:
        vocabularies.check(model.config.src_vocab_size, model.config.trg_vocab_size)
        self.model = model
        self.vocabularies = vocabularies
        self.config = config or DecodingConfig()

    def translate(self, texts: Iterable[str], first: int = 0) -> list[str]:
        """The best answer to each text (when sampling: the first drawn); an empty text stays empty.

        `first` is the place of the first text in a longer input that is read in parts: it moves the seeds of samples
        and the numbers in errors. Raises UserError for a text longer than the model reads.
        """
        return [found[0].text for found in self.hypotheses(texts, first)]

    def hypotheses(self, texts: Iterable[str], first: int = 0) -> list[list[Translation]]:
        """All `n_best` answers to each text, best first. Arguments and errors as `translate`."""
        sources = encode_sources(self.vocabularies, self.model.config.max_length, texts, first)
        config = self._with_seed()
        answers = [[Translation("", 0.0, 0.0, [], [], 0)] for _ in sources]
        for rows in self._batches(sources):
            src = self._padded([sources[row] for row in rows])
            for row, found in zip(rows, self._decode(src, [first + row for row in rows], config), strict=True):
                if not found or isnan(found[0].log_prob):
                    raise UserError(
                        f"the model's scores for text {first + row + 1} are not numbers: its weights are broken, or "
                        f"too large for {self.model.fc_out.weight.dtype}. Take another checkpoint, or torch.float32."
                    )
                unknown = sources[row].count(self.vocabularies.src.unknown_id)
                answers[row] = [self._translation(hypothesis, unknown) for hypothesis in found]
        return answers

    def stream(self, text: str, first: int = 0) -> Iterator[str]:
        """The answer to one text while it is being written: what each token adds.

        Together the parts are what `translate([text], first)` answers; a character whose bytes are not all there waits
        for them.
        Raises UserError for a text longer than the model reads, and for a beam: its answer may change until the end.
        """
        if self.config.beam > 1 and not self.config.sample:
            raise UserError(
                f"beam={self.config.beam} cannot be streamed: its best answer may change until the end. Take beam=1."
            )
        return self._stream(text, first)

    def _stream(self, text: str, first: int) -> Iterator[str]:
        (source,) = encode_sources(self.vocabularies, self.model.config.max_length, [text], first)
        if source:
            src, target = self._padded([source]), self.vocabularies.trg
            choose = chance(self.model, src, self.config, [(first, 0)]) if self.config.sample else likeliest
            steps = write(self.model, src, target.start_id, target.end_id, self.config, choose)
            yield from growing_text(target, (int(step.tokens) for step in steps))

    def _with_seed(self) -> DecodingConfig:
        """One seed for all batches, also where none was given."""
        needed = self.config.sample and self.config.seed is None
        return replace(self.config, seed=fresh_seed()) if needed else self.config

    def _batches(self, sources: Sequence[list[int]]) -> Iterator[list[int]]:
        """Which sources go together: of like length, within the budget of tokens; the longest first."""
        config = self.config
        hypotheses = config.n_best if config.sample else config.beam
        order = sorted((row for row, ids in enumerate(sources) if ids), key=lambda row: -len(sources[row]))
        start = 0
        while start < len(order):
            size = max(1, config.batch_tokens // (hypotheses * len(sources[order[start]])))
            yield order[start : start + size]
            start += size

    def _padded(self, sources: Sequence[list[int]]) -> Tensor:
        width, pad = max(map(len, sources)), self.model.config.src_pad_idx
        rows = [[*ids, *[pad] * (width - len(ids))] for ids in sources]
        return torch.tensor(rows, device=self.model.device)

    def _decode(self, src: Tensor, positions: Sequence[int], config: DecodingConfig) -> list[list[Hypothesis]]:
        start_id, end_id = self.vocabularies.trg.start_id, self.vocabularies.trg.end_id
        if config.sample:
            return sample(self.model, src, start_id, end_id, config, positions)
        return beam_search(self.model, src, start_id, end_id, config)

    def _translation(self, hypothesis: Hypothesis, unknown: int) -> Translation:
        text = self.vocabularies.trg.decode(hypothesis.ids)
        return Translation(
            text, hypothesis.log_prob, hypothesis.score, hypothesis.ids, hypothesis.token_log_probs, unknown
        )


def encode_sources(vocabularies: Vocabularies, max_length: int, texts: Iterable[str], first: int) -> list[list[int]]:
    """Source ids with </s>; none for a text without a word.

    Raises UserError for one text in the place of a list, and for a text longer than a model of `max_length` reads.
    """
    if isinstance(texts, str):
        raise UserError(f"{texts[:40]!r} is one text, not a list of them. Write translate([text]).")
    texts, sources = list(texts), []
    for number, (text, ids) in enumerate(
        zip(texts, vocabularies.src.encode_batch(texts), strict=True), start=first + 1
    ):
        source = [*ids, vocabularies.src.end_id] if ids and not text.isspace() else []
        if len(source) > max_length:
            raise UserError(
                f"text {number} ({text[:40]!r}...) has {len(source)} tokens with its </s>, but the model reads at most "
                f"max_length={max_length}. Shorten it, or split it in two."
            )
        sources.append(source)
    return sources


def growing_text(vocabulary: Vocabulary, ids: Iterable[int]) -> Iterator[str]:
    """The text of `ids` as it becomes certain; joined, the parts are `vocabulary.decode(ids)`.

    A byte piece may still change the reading of the bytes before it. The byte 0xFF, which is nowhere in UTF-8, shows
    how far that reaches: text that stays the same when it follows is certain.
    """
    spoiler = next((number for number in range(len(vocabulary)) if vocabulary.piece(number) == "<0xFF>"), None)
    written, shown, text = [], "", ""
    for token in ids:
        written.append(token)
        text = vocabulary.decode(written)
        spoilt = text if spoiler is None else vocabulary.decode([*written, spoiler])
        certain = text[: _shared(text, spoilt)].rstrip(HALF_A_CHARACTER)
        if certain.startswith(shown) and certain != shown:
            yield certain[len(shown) :]
            shown = certain
    if text != shown:
        yield text[len(shown) :]


def _shared(a: str, b: str) -> int:
    """How many characters two texts begin with alike."""
    return next((place for place, (left, right) in enumerate(zip(a, b, strict=False)) if left != right), len(a))
