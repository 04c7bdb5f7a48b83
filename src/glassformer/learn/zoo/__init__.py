"""The zoo: classic mistakes, each planted from outside into a built model, so that one can watch what it does.

`glassformer train reverse --fault NAME` trains with one. A planted fault stays: in copies, in evaluation and decoding,
and whatever attention `use_attention`, `use_fused` or the Trainer chooses; a wrong formula of attention is never fused.
It is no part of a saved model, which has the right model's parameters: whoever loads it computes rightly, unless the
fault is planted again.

Three figures in a symptom are: validation loss in nats a token; tokens right when shown the right ones before them;
answers right from end to end when written by greedy search. Measured in a toy, one seed, November 2026: `glassformer
train reverse --embed-size 32 --batch-tokens 512 --max-steps 600 --learning-rate 5e-3 --warmup-steps 50 --precision
float32`, on its validation sentences. The right model there: 0.11, 99.9 %, 98.8 %.
"""

from glassformer.errors import UserError, unknown_name
from glassformer.learn.zoo import attention, caches, entering, layers, masks
from glassformer.learn.zoo.fault import Fault, Kind
from glassformer.model.transformer import Transformer

__all__ = ["FAULTS", "Fault", "Kind", "plant"]

FAULTS: dict[str, Fault] = {
    fault.name: fault for fault in (*masks.FAULTS, *attention.FAULTS, *entering.FAULTS, *layers.FAULTS, *caches.FAULTS)
}


def plant(model: Transformer, fault: str | None) -> Transformer:
    """The same model with this mistake in it, for good; None changes nothing.

    Parameters and their names stay as they are, so a checkpoint does not hold the fault: its config.json names it.
    Raises UserError for an unknown fault, and for one that would change nothing in this model.
    """
    if fault is not None:
        if fault not in FAULTS:
            raise unknown_name("fault", fault, FAULTS)
        chosen = FAULTS[fault]
        if not chosen.needs.holds(model.config):
            raise UserError(f"fault {fault!r} changes nothing in this model: it needs one with {chosen.needs.setting}.")
        chosen.plant(model)
    return model
