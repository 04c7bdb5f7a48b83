"""What a model says when it is shown the right words before each one, beside what it writes by itself.

The two sisters `reverse-honest` and `reverse-cheating` differ in this alone: the first figure cannot tell them apart,
the second one can.
"""

from copy import deepcopy

import torch

from glassformer.checkpoint import Loaded
from glassformer.data import DataSet, batches_in_order, encode_in_memory
from glassformer.decode import DecodingConfig
from glassformer.learn.zoo import plant
from glassformer.runs.scoring import score_model

BATCH_TOKENS = 4096


def measure(loaded: Loaded, dataset: DataSet) -> dict[str, float]:
    """Both figures over the test part, in percent: {"teacher_forced": ..., "exact": ...}.

    `teacher_forced`: the share of target tokens, </s> included, that are the likeliest after the right ones before
    them; computed the way the model was trained, its fault planted again. `exact`: the share of greedy answers that
    are right from end to end.
    """
    greedy = score_model(loaded.model, loaded.vocabularies, dataset.test_references(), ["exact"], DecodingConfig())
    return {"teacher_forced": teacher_forced_accuracy(loaded, dataset), "exact": greedy[0].value}


@torch.no_grad()
def teacher_forced_accuracy(loaded: Loaded, dataset: DataSet) -> float:
    model = plant(deepcopy(loaded.model), loaded.config.run.get("fault"))
    src, trg = loaded.vocabularies
    pairs = encode_in_memory(dataset.test(), loaded.vocabularies, max_length=model.config.max_length)
    right = tokens = 0
    for _, batch in batches_in_order(pairs, BATCH_TOKENS, src_pad_id=src.pad_id, trg_pad_id=trg.pad_id):
        batch = batch.to(model.device)
        likeliest = model(batch.src, batch.trg_in).argmax(dim=-1)
        right += int(((likeliest == batch.trg_out) & (batch.trg_out != trg.pad_id)).sum())
        tokens += batch.real_tokens
    return 100 * right / tokens
