"""One sentence through a trained model, watched: what `shapes` and the demo's pictures are made of."""

from collections.abc import Sequence
from typing import NamedTuple

from glassformer.data import Vocabularies
from glassformer.decode import Translator
from glassformer.look import Seen, watch_pair
from glassformer.model.transformer import Transformer


class Sight(NamedTuple):
    """What was seen, and the words on its axes."""

    seen: Seen
    src_pieces: list[str]  # the source's tokens, </s> included
    trg_pieces: list[str]  # the target's tokens as the decoder reads them, <s> included
    trg_ids: list[int]  # the whole target, from <s> to </s>
    answer: str


def look_at(
    model: Transformer,
    vocabularies: Vocabularies,
    sentence: str,
    target: str | None = None,
    only: Sequence[str] | None = None,
) -> Sight:
    """Watch `model(src, trg[:, :-1])` for one sentence; the target is the model's own greedy answer unless given.

    `only` keeps the tensors whose names fit one of these patterns.
    """
    answer = Translator(model, vocabularies).translate([sentence])[0] if target is None else target
    src_vocabulary, trg_vocabulary = vocabularies
    src_ids = [*src_vocabulary.encode(sentence), src_vocabulary.end_id]
    trg_ids = [trg_vocabulary.start_id, *trg_vocabulary.encode(answer), trg_vocabulary.end_id]
    return Sight(
        watch_pair(model, src_ids, trg_ids, only=only),
        [src_vocabulary.piece(token) for token in src_ids],
        [trg_vocabulary.piece(token) for token in trg_ids[:-1]],
        trg_ids,
        answer,
    )
