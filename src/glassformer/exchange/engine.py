"""CTranslate2 as the engine of a model that is loaded here: the `Translator`'s face, the library's speed.

Greedy answers are the built-in engine's: the same tokens, limits of length, forced ends and ids never written, and
scores by the same formula from the library's own probabilities (float32 ones differ in the last digits, so that two
tokens equally likely to 1e-4 may change places).

A beam keeps the same beginnings step by step, but the library has its own rule to stop: once beam x PATIENCE answers
are finished, where ours looks whether a beginning can still win. We rank what it found by our score. That is no proof
that it found ours; measured (November 2026) on a small English-French model of BLEU 21, none of 5,000 answers differed:
500 short and 500 long sentences, each with beam 4 and length_penalty 0, 0.6 and 1, with beam 8, and with beam 4 and
all of n_best 4. Nor did any of 5,000 answers of `en-fr` as it ships, beam 4 and length_penalty 1.4.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch

from glassformer.data import Vocabularies
from glassformer.decode import DecodingConfig, Translation
from glassformer.decode.translator import encode_sources
from glassformer.errors import UserError
from glassformer.exchange.ctranslate2 import export, library, token_names
from glassformer.exchange.plain import PENALTY
from glassformer.model.transformer import Transformer

PATIENCE = 2


class Found(NamedTuple):
    """An answer as the library wrote it."""

    ids: list[int]  # without <s> and </s>
    ended: bool  # with an </s>; False: it was cut off at the limit of length
    log_prob: float  # of the whole answer, </s> included


class CTranslate2Translator:
    """Translate any number of texts, in the order given, on the CPU.

    `workers` batches are computed at the same time (default: as many as PyTorch has threads), each with `threads`
    threads: on a CPU, workers of one thread get the most out of the cores. Raises UserError for a model that cannot be
    exported, for one that is not on the CPU, for sampling, and where the library is not installed.

    The library gives the log probability of a whole answer; for that of each token it must read the answers once more.
    With `token_log_probs=False` it does not, and those lists stay empty.

    `int8` changes answers. On a CPU without VNNI instructions (AMD EPYC, AVX2) it changed 63 % of 500 greedy answers of
    the model named above; with CT2_USE_MKL=1 in the environment 17 %, at half the speed.
    """

    def __init__(
        self,
        model: Transformer,
        vocabularies: Vocabularies,
        config: DecodingConfig | None = None,
        *,
        int8: bool = False,
        workers: int | None = None,
        threads: int = 1,
        token_log_probs: bool = True,
    ) -> None:
        self.model = model
        self.vocabularies = vocabularies
        self.config = config or DecodingConfig()
        if self.config.sample:
            raise UserError(
                "sample=True: the engine ctranslate2 searches and does not draw. Leave out the sampling, or take the "
                "built-in engine."
            )
        if model.device.type != "cpu":
            raise UserError(
                f"the model is on {model.device}, and the engine ctranslate2 computes on the CPU. Load the model "
                "there (--device cpu), or take the built-in engine."
            )
        self.workers, self.token_log_probs = workers or torch.get_num_threads(), token_log_probs
        self._patience, self._library_penalty = (
            (PATIENCE, PENALTY * self.config.length_penalty) if self.config.beam > 1 else (1, 0.0)
        )
        self._src_names = token_names(vocabularies.src, model.config.src_vocab_size)
        self._trg_names = token_names(vocabularies.trg, model.config.trg_vocab_size)
        self._trg_ids = {name: number for number, name in enumerate(self._trg_names)}
        with TemporaryDirectory() as parent:
            folder, stored = Path(parent) / "model", "int8" if int8 else "float32"
            export(model, vocabularies, folder, quantization=stored, forbidden_ids=self.config.forbidden_ids)
            self._library = library().Translator(str(folder), inter_threads=self.workers, intra_threads=threads)

    def translate(self, texts: Iterable[str], first: int = 0) -> list[str]:
        """The best answer to each text; an empty text stays empty. Arguments and errors as `Translator.translate`."""
        decode = self.vocabularies.trg.decode
        return [decode(found[0].ids) if found else "" for found in self._search(self._encode(texts, first), first)]

    def hypotheses(self, texts: Iterable[str], first: int = 0) -> list[list[Translation]]:
        """All `n_best` answers to each text, best first. Arguments and errors as `Translator.translate`."""
        sources = self._encode(texts, first)
        answers = self._search(sources, first)
        pairs = [(source, found) for source, several in zip(sources, answers, strict=True) for found in several]
        scored = iter(self._token_log_probs(pairs) if self.token_log_probs else [[] for _ in pairs])
        return [
            [self._translation(source, found, next(scored)) for found in several]
            or [Translation("", 0.0, 0.0, [], [], 0)]
            for source, several in zip(sources, answers, strict=True)
        ]

    def _encode(self, texts: Iterable[str], first: int) -> list[list[int]]:
        """Source ids without </s>, which the library adds; none for a text without a word."""
        sources = encode_sources(self.vocabularies, self.model.config.max_length, texts, first)
        return [source[:-1] for source in sources]

    def _room(self, source: Sequence[int]) -> int:
        """How many tokens the model may choose for an answer: the limit of length, less the </s> that is forced."""
        return self.config.limit(len(source) + 1, self.model.config.max_length) - self.config.forced_end

    def _search(self, sources: Sequence[list[int]], first: int) -> list[list[Found]]:
        """The `n_best` answers to each source, best first; none for one without a word."""
        batches = list(self._batches(sources))
        waiting = [self._begin([sources[row] for row in rows]) for rows in batches]
        answers: list[list[Found]] = [[] for _ in sources]
        for rows, results in zip(batches, waiting, strict=True):
            for row, result in zip(rows, results, strict=True):
                answers[row] = self._read(result.result(), self._room(sources[row]))
        if self.config.forced_end:
            answers = self._with_ends(sources, answers)
        for number, several in enumerate(answers, start=first + 1):
            if not all(isfinite(found.log_prob) for found in several):
                raise UserError(
                    f"the model's scores for text {number} are not numbers: its weights are too large for "
                    "CTranslate2. Take another checkpoint, or the built-in engine."
                )
        return [sorted(several, key=self._worst_last)[: self.config.n_best] for several in answers]

    def _batches(self, sources: Sequence[list[int]]) -> Iterator[list[int]]:
        """Which sources go together: of like length, within the budget of tokens and one share for each worker.

        The library has one limit of length for a batch. Greedy answers may be cut to their own limit afterwards;
        other searches would have taken another way, so there only sources with the same limit share a batch.
        """
        order = sorted((row for row, ids in enumerate(sources) if ids), key=lambda row: -len(sources[row]))
        share = -(-len(order) // self.workers)
        cuttable = self.config.beam == 1 and self.config.forced_end
        start = 0
        while start < len(order):
            longest = sources[order[start]]
            size = max(1, min(share, self.config.batch_tokens // (self.config.beam * (len(longest) + 1))))
            rows = [
                row
                for row in order[start : start + size]
                if cuttable or self._room(sources[row]) == self._room(longest)
            ]
            yield rows
            start += len(rows)

    def _begin(self, sources: Sequence[list[int]]) -> Any:
        """Hand a batch, longest first, to the next free worker; the results are asked for later."""
        return self._library.translate_batch(
            [[self._src_names[number] for number in source] for source in sources],
            beam_size=self.config.beam,
            patience=self._patience,
            num_hypotheses=self.config.beam * self._patience,
            length_penalty=self._library_penalty,
            max_decoding_length=max(1, self._room(sources[0])),
            min_decoding_length=0,
            max_input_length=0,
            return_end_token=True,
            return_scores=True,
            asynchronous=True,
        )

    def _read(self, result: Any, room: int) -> list[Found]:
        """The library's answers, each once, within the room they have."""
        answers: dict[tuple[int, ...], Found] = {}
        for names, score in zip(result.hypotheses, result.scores, strict=True):
            ids = [self._trg_ids[name] for name in names]
            ended = ids[-1:] == [self.vocabularies.trg.end_id] and len(ids) <= room
            kept = ids[:-1] if ended else ids[:room]
            answers.setdefault(tuple(kept), Found(kept, ended, score * len(ids) ** self._library_penalty))
        return list(answers.values())

    def _with_ends(self, sources: Sequence[list[int]], answers: Sequence[list[Found]]) -> list[list[Found]]:
        """Answers that were cut off get the </s> that is forced at the limit, and its probability."""
        cut = [
            (source, found._replace(ended=True))
            for source, several in zip(sources, answers, strict=True)
            for found in several
            if not found.ended
        ]
        log_probs = map(sum, self._token_log_probs(cut))
        return [
            [found if found.ended else found._replace(ended=True, log_prob=next(log_probs)) for found in several]
            for several in answers
        ]

    def _worst_last(self, found: Found) -> float:
        return -found.log_prob / self.config.penalty(len(found.ids) + found.ended)

    def _token_log_probs(self, pairs: Sequence[tuple[list[int], Found]]) -> list[list[float]]:
        """For each answer to its source, the log probability of each token, and of </s> where it has one."""
        results = self._library.score_batch(
            [[self._src_names[number] for number in source] for source, _ in pairs],
            # The library ends what it scores; in the place of that </s> a cut-off answer has its last token.
            [[self._trg_names[number] for number in found.ids[: None if found.ended else -1]] for _, found in pairs],
            max_batch_size=self.config.batch_tokens,
            batch_type="tokens",
            max_input_length=0,
        )
        scored = []
        for (_, found), result in zip(pairs, results, strict=True):
            log_probs = list(result.log_probs)
            if not found.ended:
                log_probs[-1] = found.log_prob - sum(log_probs[:-1])
            scored.append(log_probs)
        return scored

    def _translation(self, source: list[int], found: Found, token_log_probs: list[float]) -> Translation:
        log_prob = sum(token_log_probs) if token_log_probs else found.log_prob
        return Translation(
            self.vocabularies.trg.decode(found.ids),
            log_prob,
            log_prob / self.config.penalty(len(found.ids) + found.ended),
            found.ids,
            token_log_probs,
            source.count(self.vocabularies.src.unknown_id),
        )
