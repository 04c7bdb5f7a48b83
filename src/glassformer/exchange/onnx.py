"""A model as a folder of ONNX, which ONNX Runtime and many other programs compute.

`encoder.onnx` reads the sources once. `decoder_step.onnx` takes the target tokens so far with the keys and values of
the earlier ones, and gives the logits of the others: all tokens at once, or one a step, as here (src is (n, s), each
sentence with its </s>, filled up with padding):

    def greedy(folder, src, longest):
        encoder, step = (InferenceSession(folder / f"{name}.onnx") for name in ("encoder", "decoder_step"))
        facts = json.loads((folder / "glassformer.json").read_text(encoding="utf-8"))["trg"]
        memory, *read = encoder.run(None, {"src": src})
        trg_input, *inputs = step.get_inputs()
        kept = [np.zeros((len(src), 0, *each.shape[2:]), np.float32) for each in inputs[len(read) :]]
        trg = np.full((len(src), 1), facts["start"])
        while trg.shape[1] <= longest and not (trg == facts["end"]).any(axis=1).all():
            given = dict(zip([each.name for each in inputs], [*read, *kept]))
            logits, *kept = step.run(None, {"trg": trg, **given})
            logits[:, -1, facts["never_written"]] = -np.inf
            trg = np.concatenate([trg, logits[:, -1:].argmax(axis=2)], axis=1)
        return trg  # a sentence ends at its first </s>; what stands behind it is not part of the answer
"""

from collections.abc import Collection
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glassformer.checkpoint.border import as_json
from glassformer.data import Vocabularies
from glassformer.errors import UserError
from glassformer.exchange.folder import new_folder
from glassformer.exchange.onnx_graph import OPSET, Graph, Port, decoder_step_graph, encoder_graph, library
from glassformer.exchange.plain import never_written, refuse_others
from glassformer.model.transformer import Transformer

ALLOWED = 1e-4  # of the largest logit: float32, and another order of sums
LARGEST = 2**31 - 2**20  # bytes of weights in one file of this format; more stand in a file beside it
FACTS = "glassformer.json"
HOW = [
    "encoder.onnx: src -> memory, and what decoder_step.onnx reads of the source: its inputs after trg, in order.",
    "decoder_step.onnx: trg is all target tokens so far, start first. Those without earlier keys are new: q = t - k.",
    "Give it earlier_keys and earlier_values of length k = 0 first, then its outputs after logits, in their order.",
    "logits[:, -1] are those of the next token. Leave out the ids never_written, stop at end, or at max_length tokens.",
    "Other rows (a beam's): take the same rows of trg, of what was read and of what is kept.",
]
AXES = {
    "n": "sentences",
    "s": "source positions",
    "t": "target positions so far",
    "k": "target positions with earlier keys",
    "q": "new target positions",
}


def export(
    model: Transformer, vocabularies: Vocabularies, folder: Path, *, forbidden_ids: Collection[int] = ()
) -> None:
    """Write the folder, all of it or nothing, in float32. Every choice of `TransformerConfig` can be held.

    Raises UserError, before anything is written, for a model that computes something else than its config says, for
    weights that are not numbers, for ids that are not the target's, and where the library is not installed.
    """
    onnx = library()
    vocabularies.check(model.config.src_vocab_size, model.config.trg_vocab_size)
    refuse_others(model, "ONNX")
    unwritten = never_written(model.config, vocabularies.trg, forbidden_ids)
    graphs = {"encoder.onnx": encoder_graph(model), "decoder_step.onnx": decoder_step_graph(model)}
    written = {name: graph.model(name) for name, graph in graphs.items()}
    _refuse_differences(model, *written.values())
    with new_folder(folder) as working:
        vocabularies.save(working)
        facts = as_json(_facts(model, vocabularies, graphs, unwritten))
        (working / FACTS).write_text(facts, encoding="utf-8", newline="\n")
        for name, graph in graphs.items():
            beside = graph.size > LARGEST
            onnx.save(written[name], working / name, save_as_external_data=beside, location=f"{name}.data")


@torch.no_grad()
def _refuse_differences(model: Transformer, encoder: Any, step: Any) -> None:
    """Compute the graphs by the library's own reference: whatever else changes the model's numbers shows here."""
    import onnx.reference

    reference: Any = onnx.reference.ReferenceEvaluator
    config, dice = model.config, torch.Generator().manual_seed(0)
    src, trg = (
        torch.randint(words, (2, min(5, config.max_length)), generator=dice)
        for words in (config.src_vocab_size, config.trg_vocab_size)
    )
    ours = deepcopy(model).to("cpu", torch.float32).eval()(src, trg).numpy()
    with np.errstate(all="ignore"):
        _, *read = reference(encoder).run(None, {"src": src.numpy()})
        names = [each.name for each in step.graph.input]
        nothing = np.zeros_like(read[1][:, :0])
        kept = [nothing] * (len(names) - 1 - len(read))
        given = dict(zip(names, [trg.numpy(), *read, *kept], strict=True))
        theirs, *_ = reference(step).run(None, given)
        difference, largest = float(np.abs(ours - theirs).max()), float(np.abs(theirs).max())
    if not difference <= ALLOWED * max(1.0, largest):
        raise UserError(
            f"the model's logits differ by {difference:.3g} from those of its config's formulas (up to {largest:.3g}): "
            "a hook or a replaced function changes them, or they are too large for float32. Take the change away, or "
            "translate with the built-in engine."
        )


def _facts(
    model: Transformer, vocabularies: Vocabularies, graphs: dict[str, Graph], unwritten: list[int]
) -> dict[str, Any]:
    """What a program must know to use the folder, and what a person must."""
    config, (src, trg) = model.config, vocabularies
    files = list(vocabularies.files())
    return {
        "format": 1,
        "opset": OPSET,
        "how": HOW,
        "axes": AXES,
        "max_length": config.max_length,
        "src": {"tokenizer": files[0], "end": src.end_id, "pad": config.src_pad_idx, "unknown": src.unknown_id},
        "trg": {
            "tokenizer": files[-1], "start": trg.start_id, "end": trg.end_id, "pad": config.trg_pad_idx,
            "never_written": unwritten,
        },
        **{name: {"inputs": _ports(graph.inputs), "outputs": _ports(graph.outputs)} for name, graph in graphs.items()},
    }  # fmt: skip


def _ports(ports: list[Port]) -> dict[str, dict[str, Any]]:
    return {port.name: {"dtype": port.dtype, "axes": list(port.axes)} for port in ports}
