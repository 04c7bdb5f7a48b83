"""BLEU, chrF and TER by sacreBLEU, on plain text: cased, not tokenized beforehand (but for `moses_bleu`)."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from glassformer.errors import UserError
from glassformer.score.score import Score, check_pairs


def bleu(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    """Shared runs of 1 to 4 words with a brevity penalty (Papineni et al. 2002), tokenized "13a", the usual one.

    `references[i]` holds every right answer to `hypotheses[i]`. Raises UserError where they do not match.
    """
    return _scored("bleu", BLEU(), hypotheses, references)


def chrf(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    """Shared runs of 1 to 6 characters, F2 (Popović 2015). References and errors as `bleu`."""
    return _scored("chrf", CHRF(), hypotheses, references)


def ter(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    """Edits and shifts of blocks of words for each word of the references (Snover et al. 2006): lower is better.

    References and errors as `bleu`.
    """
    return _scored("ter", TER(), hypotheses, references)


def moses_bleu(language: str, hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    """BLEU as papers on Multi30k report it: lower case, punctuation and tokens of Moses for "de", "en" or "fr".

    Beside other papers' figures only: each way of tokenizing gives its own numbers. References and errors as `bleu`;
    UserError where sacremoses, the extra "moses", is not installed.
    """
    try:
        from sacremoses import MosesPunctNormalizer, MosesTokenizer
    except ImportError as error:
        raise UserError(
            "Moses' tokens need sacremoses: pip install 'glassformer[moses]', or take the score bleu."
        ) from error
    normalizer, tokenizer = MosesPunctNormalizer(language), MosesTokenizer(language)

    def tokenized(text: str) -> str:
        return str(tokenizer.tokenize(normalizer.normalize(text.lower()), escape=False, return_str=True))

    score = _scored(
        f"bleu-moses-{language}", BLEU(tokenize="none", force=True),
        [tokenized(text) for text in hypotheses], [[tokenized(text) for text in several] for several in references],
    )  # fmt: skip
    return replace(score, signature=f"{score.signature}|lower-cased, Moses tokens ({language})")


def _scored(name: str, metric: Any, hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    check_pairs(hypotheses, references)
    # sacreBLEU wants the first reference of every hypothesis, then the second of every one; None where there is none.
    streams = [list(stream) for stream in zip_longest(*references)]
    value = metric.corpus_score(list(hypotheses), streams).score
    return Score(name, float(value), str(metric.get_signature()))
