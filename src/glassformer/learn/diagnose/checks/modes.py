"""One function in every mode: training and evaluation, with and without gradients, in one pass and step by step."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from glassformer.learn.diagnose.borrow import without_dropout
from glassformer.learn.diagnose.report import Report
from glassformer.learn.diagnose.subject import PADS, Subject


def repeatable(subject: Subject, report: Report) -> None:
    """In evaluation mode two equal calls give equal numbers."""
    src, trg = subject.batch(40)
    move = subject.move(subject.scores(src, trg), subject.scores(src, trg))
    if move <= subject.exact.still:
        return
    report.found(
        "random-in-eval",
        f"model.eval(), the same sentences twice: scores differ by up to {move * subject.scale:.3g}; they must not.",
    )


def modes(subject: Subject, report: Report) -> None:
    """Train, eval, with gradients, without: the same numbers on the words, where dropout is 0."""
    src, trg = subject.batch(41)
    pad = subject.facts.src_pad_idx
    if pad is not None and not subject.equal_lengths:
        src = subject.padded(src, pad)
        src[1, -PADS - 1] = pad
    if subject.fails_without_grad:
        report.found(
            "modes-differ", f"under torch.no_grad() it raises, with gradients it runs: {subject.fails_without_grad}."
        )
    base = subject.scores(src, trg)
    with torch.enable_grad():
        tracked = subject.raw(src, trg).detach().clone()
    move = subject.move(base, tracked)
    if move >= subject.exact.moved:
        report.found(
            "modes-differ",
            f"evaluation mode, with and without torch.no_grad(): the scores differ by {move * subject.scale:.3g}.",
        )
    with without_dropout(subject.model):
        subject.model.train()
        try:
            kept = running_statistics(subject.model)
            trained, again = subject.scores(src, trg), subject.scores(src, trg)
        finally:
            subject.model.eval()
            for buffer, value in kept:
                buffer.copy_(value)
    if subject.move(trained, again) > subject.exact.still:
        report.skip(
            "training and evaluation mode",
            "two equal calls in training mode differ, though every dropout found was set to 0",
        )
        return
    move = subject.move(base, trained)
    if move >= subject.exact.moved:
        norms = [name for name, m in subject.model.named_modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        why = f" model.{norms[0]} takes its mean from the whole batch." if norms else ""
        report.found(
            "modes-differ",
            f"training mode with dropout 0 against evaluation mode: scores differ by {move * subject.scale:.3g}.{why}",
        )


def running_statistics(model: nn.Module) -> list[tuple[Tensor, Tensor]]:
    return [(buffer, buffer.clone()) for buffer in model.buffers()]


def own_decoding(subject: Subject, report: Report) -> None:
    """`model.encode` and `model.decode`, where there are such, against one pass, prefix by prefix."""
    model = subject.model
    encode, decode = getattr(model, "encode", None), getattr(model, "decode", None)
    if not callable(encode) or not callable(decode):
        report.skip("encode and decode", "the model has no methods encode and decode")
        return
    src, trg = subject.batch(42)
    whole = subject.scores(src, trg)
    if whole.size(1) != trg.size(1) or subject.equal_lengths:
        report.skip("encode and decode", "the model shifts the target itself")
        return
    run = decoding_path(subject, encode, decode, src)
    if run is None:
        report.skip("encode and decode", "their arguments are of no known kind")
        return
    for length in range(1, trg.size(1) + 1):
        try:
            with torch.no_grad():
                step = run(trg[:, :length])
        except Exception as error:
            report.skip("encode and decode", f"they raised {type(error).__name__}")
            return
        if step.shape != (src.size(0), length, whole.size(2)):
            report.skip("encode and decode", "what decode gives could not be turned into scores")
            return
        move = subject.move(step[:, -1], whole[:, length - 1])
        if move >= subject.exact.moved and not report.has("future-leak"):
            report.found(
                "decoding-differs",
                f"model.encode and model.decode on the first {length} target tokens: the last scores differ from those "
                f"of model(src, trg) by {move * subject.scale:.3g}.",
            )
            return


def decoding_path(
    subject: Subject, encode: Callable[..., Tensor], decode: Callable[..., Tensor], src: Tensor
) -> Callable[[Tensor], Tensor] | None:
    """A function of the target's prefix that gives scores, by the names of the arguments."""
    model = subject.model
    makers = {"src": getattr(model, "make_src_mask", None), "trg": getattr(model, "make_trg_mask", None)}
    makers["trg"] = makers["trg"] or getattr(model, "make_tgt_mask", None)

    def arguments(function: Callable[..., Tensor], known: dict[str, Callable[[], Tensor | None]]) -> list[str] | None:
        names = [n for n, p in inspect.signature(function).parameters.items() if p.default is p.empty]
        return names if all(kind(name) in known for name in names) else None

    can = {"src": lambda: src, "src_mask": lambda: None}
    encoding = arguments(encode, can if makers["src"] else {"src": can["src"]})
    decoding = arguments(decode, dict.fromkeys(("trg", "memory", "src_mask", "trg_mask"), lambda: None))
    if encoding is None or decoding is None:
        return None
    if any(kind(name) == f"{side}_mask" and not makers[side] for name in decoding for side in ("src", "trg")):
        return None
    layers = [
        getattr(model, n, None) for n in ("fc_out", "generator", "project", "projection", "out", "head", "lm_head")
    ]
    last = next((layer for layer in layers if callable(layer)), None)

    def run(prefix: Tensor) -> Tensor:
        values: dict[str, Callable[[], object]] = {
            "src": lambda: src,
            "trg": lambda: prefix,
            "src_mask": lambda: makers["src"](src) if makers["src"] else None,
            "trg_mask": lambda: makers["trg"](prefix) if makers["trg"] else None,
        }
        memory = encode(*(values[kind(name)]() for name in encoding))
        values["memory"] = lambda: memory
        decoded = decode(*(values[kind(name)]() for name in decoding))
        return decoded if last is None or decoded.size(-1) == subject.trg_vocab else last(decoded)

    return run


def kind(name: str) -> str:
    """Which of src, trg, memory, src_mask and trg_mask an argument is; '' for none."""
    low = name.lower()
    side = "trg" if low.startswith(("trg", "tgt", "target")) else "src" if low.startswith(("src", "source")) else ""
    if "mask" in low:
        return f"{side or 'src'}_mask" if side or "memory" in low or "enc" in low else ""
    if "mem" in low or "enc" in low:
        return "memory"
    return side or ("trg" if low in ("x", "y") else "")


def cache(subject: Subject, report: Report) -> None:
    """Steps with a cache against one pass: Glassformer's `Cache` and Hugging Face's `past_key_values` are known."""
    from glassformer.model.cache import Cache
    from glassformer.model.transformer import Transformer

    model = subject.model
    src, trg = subject.batch(43)
    whole = subject.scores(src, trg)
    if isinstance(model, Transformer):
        with torch.no_grad():
            memory, src_mask = model.encode(src), model.make_src_mask(src)
            for chunks in ([1] * trg.size(1), [3, 1, 2, 1]):  # one at a time cannot see a missing mask inside a chunk
                kept = Cache(len(model.decoder.layers))
                parts = [
                    model.fc_out(model.decode(part, memory, src_mask, kept)) for part in torch.split(trg, chunks, dim=1)
                ]
                compare(subject, report, torch.cat(parts, dim=1), whole, chunks)
    elif "past_key_values" in inspect.signature(model.forward).parameters and "input_ids" in subject.form.name:
        steps, past = [], None
        with torch.no_grad():
            for position in range(trg.size(1)):
                step = trg[:, position : position + 1]
                answer = model(input_ids=src, decoder_input_ids=step, past_key_values=past, use_cache=True)
                past = answer.past_key_values
                steps.append(answer.logits)
        compare(subject, report, torch.cat(steps, dim=1), whole, [1] * trg.size(1))
    else:
        report.skip("cache", "no cache of a known kind was found")


def compare(subject: Subject, report: Report, steps: Tensor, whole: Tensor, chunks: list[int]) -> None:
    """The first position at which steps and one pass part."""
    if report.has("cache-differs"):
        return
    for position in range(whole.size(1)):
        move = subject.move(steps[:, position], whole[:, position])
        if move >= subject.exact.moved:
            report.found(
                "cache-differs",
                f"the target in pieces of {', '.join(map(str, chunks))} with a cache: from position {position} on the "
                f"scores differ from one pass, here by {move * subject.scale:.3g}.",
            )
            return


PROCESSED = ("no_repeat_ngram_size", "min_length", "suppress_tokens", "begin_suppress_tokens", "forced_bos_token_id")
STEPS = 5  # tokens that are written


def generation(subject: Subject, report: Report) -> None:
    """What `generate` writes, greedily, is at each step the best score of one pass over what it wrote."""
    src, _ = subject.batch(44)
    generate = subject.generate or library_generate(subject)
    if generate is None:
        report.skip(
            "generate", "no greedy decoder is known: Adapter(generate=...) names one, (model, src) -> ids (n, t)"
        )
        return
    with torch.no_grad():
        written = generate(subject.model, src)
    facts = subject.facts
    stops = {facts.end_idx, facts.trg_pad_idx}
    scores = subject.scores(src, written[:, :-1])
    if facts.trg_pad_idx is not None:
        scores[..., facts.trg_pad_idx] = -torch.inf  # never to be written
    for row in range(written.size(0)):
        for position in range(min(written.size(1) - 1, STEPS - 1)):
            wrote, best = int(written[row, position + 1]), int(scores[row, position].argmax())
            if wrote in stops:
                break
            gap = (scores[row, position, best] - scores[row, position, wrote]).item()
            if gap >= 1e-4 * subject.scale:
                report.found(
                    "decoding-differs",
                    f"sentence {row}, step {position + 1}: generate wrote {wrote}, in one pass {best} has the best "
                    f"score, by {gap:.3g}.",
                )
                return


def library_generate(subject: Subject) -> Callable[[nn.Module, Tensor], Tensor] | None:
    """Hugging Face's own, where its configuration changes no score."""
    generation = getattr(subject.model, "generation_config", None)
    if (
        generation is None
        or "input_ids" not in subject.form.name
        or any(getattr(generation, n, None) for n in PROCESSED)
    ):
        return None
    if (getattr(generation, "repetition_penalty", None) or 1.0) != 1.0:
        return None

    def generate(model: Any, src: Tensor) -> Tensor:
        written: Tensor = model.generate(
            input_ids=src, attention_mask=torch.ones_like(src), num_beams=1, do_sample=False, max_new_tokens=STEPS
        )
        return written

    return generate
