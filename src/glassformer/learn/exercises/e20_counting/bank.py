"""20: counting, and the ways in which it goes wrong."""

from typing import Any

from glassformer.learn.exercise import Bank, Function, Part, Probe, Property, Wrong
from glassformer.learn.exercises.e20_counting.mistakes import BYTES, FLOPS, PARAMETERS


def count_parameters(wrong: Wrong, src: int, trg: int, e: int, f: int, layers: int, heads: int, tied: bool) -> int:
    bias = 0 if "biases-forgotten" in wrong else 1
    attention_bias = 0 if "attention-biases-missing" in wrong else bias
    out_bias = 0 if "output-bias-missing" in wrong else bias
    projection = e * e + attention_bias * e
    copies = heads if "multiplied-by-heads" in wrong else 1
    attention = 3 * copies * projection + (0 if "fc-out-forgotten" in wrong else projection)
    feed_forward = e * f + bias * f
    if "one-matrix-in-feed-forward" not in wrong:
        feed_forward += f * e + bias * e
    norm = 0 if "norms-forgotten" in wrong else 2 * e
    encoder_layer = attention + feed_forward + 2 * norm
    attentions = 1 if "one-attention-in-decoder" in wrong else 2
    norms = 2 if "two-norms-in-decoder" in wrong else 3
    decoder_layer = attentions * attention + feed_forward + norms * norm
    total = layers * (encoder_layer + decoder_layer) + out_bias * trg
    if "final-norms-counted" in wrong:
        total += 2 * norm
    if "output-layer-forgotten" in wrong:
        return total - out_bias * trg + (trg if tied else src + trg) * e
    if tied:
        tables = 3 if "tied-ignored" in wrong else 2 if "tied-counted-twice" in wrong else 1
        return total + tables * trg * e
    return total + (src + 2 * trg) * e


def count_flops(wrong: Wrong, n: int, s: int, t: int, e: int, f: int, layers: int, heads: int, trg: int) -> int:
    def products(queries: int, keys: int) -> int:
        pairs = queries if "n-for-n-squared" in wrong else queries * keys
        number = 1 if "one-product" in wrong else 2
        return 2 * number * pairs * e * (heads if "multiplied-by-heads" in wrong else 1)

    def projections(queries: int, keys: int) -> int:
        return 0 if "projections-forgotten" in wrong else 4 * (queries + keys) * e * e

    encoder_layer = projections(s, s) + products(s, s) + 4 * s * e * f
    self_products = products(t, t) // 2 if "causal-halved" in wrong else products(t, t)
    decoder_layer = projections(t, t) + self_products + 4 * t * e * f
    if "one-attention-in-decoder" not in wrong:
        decoder_layer += projections(t, t if "memory-counted-as-target" in wrong else s)
        decoder_layer += products(t, t if "cross-as-self" in wrong else s)
    total = layers * (encoder_layer + decoder_layer)
    if "output-layer-forgotten" not in wrong:
        total += 2 * t * e * trg
    if "batch-forgotten" not in wrong:
        total *= n
    if "backward-included" in wrong:
        total *= 3
    return total // 2 if "macs-for-flops" in wrong else total


def cache_bytes(wrong: Wrong, n: int, s: int, t: int, e: int, layers: int, heads: int, each: int) -> int:
    width = e
    if "multiplied-by-heads" in wrong:
        width = e * heads
    elif "one-head-only" in wrong:
        width = e // heads
    depth = 1 if "layers-forgotten" in wrong else layers
    positions = depth * (t + s)
    if "cross-cache-forgotten" in wrong:
        positions = depth * t
    elif "cross-cache-once" in wrong:
        positions = depth * t + s
    numbers = positions * width * (1 if "kv-factor-2-missing" in wrong else 2)
    if "batch-forgotten" not in wrong:
        numbers *= n
    return numbers * each * (8 if "bits-for-bytes" in wrong else 1)


def whole(function: Function, *arguments: Any) -> Any:
    """The answer, with 60.0 for 60: a quotient that comes out even is right."""
    answer = function(*arguments)
    try:
        return int(answer) if answer == int(answer) else answer
    except (TypeError, ValueError, RuntimeError):
        return answer


def asked(label: str, *arguments: Any) -> Probe:
    return Probe(label=label, arguments=arguments, drive=whole)


def parameters_probes() -> list[Probe]:
    return [
        asked("three tables", 11, 13, 12, 20, 2, 3, False),
        asked("one table for all", 17, 17, 15, 7, 3, 5, True),
        asked("one head, one layer", 23, 10, 6, 31, 1, 1, False),
        asked("the paper's base, 37,000 words", 37000, 37000, 512, 2048, 6, 8, True),
    ]


def parameters_examples() -> list[Probe]:
    return [asked("no tying", 3, 5, 4, 6, 1, 2, False), asked("tied", 5, 5, 4, 6, 1, 2, True)]


def flops_probes() -> list[Probe]:
    return [
        asked("short source", 2, 5, 7, 12, 20, 3, 4, 17),
        asked("short target", 3, 11, 4, 10, 6, 2, 5, 13),
        asked("one layer, one head", 1, 6, 9, 8, 15, 1, 1, 19),
    ]


def flops_examples() -> list[Probe]:
    return [asked("tiny", 2, 3, 2, 4, 6, 1, 2, 5)]


def bytes_probes() -> list[Probe]:
    return [
        asked("float16", 3, 7, 5, 12, 4, 6, 2),
        asked("float32", 2, 4, 11, 15, 7, 3, 4),
        asked("one byte", 5, 13, 6, 10, 3, 2, 1),
    ]


def bytes_examples() -> list[Probe]:
    return [asked("tiny", 2, 3, 5, 4, 3, 2, 2)]


def parameters_do_not_depend_on_heads(function: Function) -> bool:
    return bool(function(11, 13, 12, 20, 2, 3, False) == function(11, 13, 12, 20, 2, 6, False))


def tying_saves_two_tables(function: Function) -> bool:
    return bool(function(13, 13, 12, 20, 2, 3, False) - function(13, 13, 12, 20, 2, 3, True) == 2 * 13 * 12)


def flops_do_not_depend_on_heads(function: Function) -> bool:
    return bool(function(2, 5, 7, 12, 20, 3, 4, 17) == function(2, 5, 7, 12, 20, 3, 6, 17))


def flops_double_with_the_batch(function: Function) -> bool:
    return bool(function(4, 5, 7, 12, 20, 3, 4, 17) == 2 * function(2, 5, 7, 12, 20, 3, 4, 17))


def flops_more_than_double_with_the_length(function: Function) -> bool:
    return bool(function(2, 10, 14, 12, 20, 3, 4, 17) > 2 * function(2, 5, 7, 12, 20, 3, 4, 17))


def bytes_do_not_depend_on_heads(function: Function) -> bool:
    return bool(function(3, 7, 5, 12, 4, 6, 2) == function(3, 7, 5, 12, 4, 3, 2))


def bytes_grow_alike_with_both_lengths(function: Function) -> bool:
    return bool(function(3, 8, 5, 12, 4, 6, 2) == function(3, 7, 6, 12, 4, 6, 2))


def bytes_double_with_the_batch(function: Function) -> bool:
    return bool(function(6, 7, 5, 12, 4, 6, 2) == 2 * function(3, 7, 5, 12, 4, 6, 2))


def compared(what: str, found: float, expected: int, because: str) -> str | None:
    return None if found == expected else f"{what}: {found:,.0f}; expected {expected:,} = {because}"


def read_layer(function: Function) -> str | None:
    """What one more layer in each stack adds, for e = 12 and f = 20."""
    found = function(11, 13, 12, 20, 3, 3, False) - function(11, 13, 12, 20, 2, 3, False)
    because = "3 x 4 (e^2 + e) + 2 (2 e f + e + f) + 5 x 2 e"
    return compared("one more layer in each stack adds, for e = 12 and f = 20", found, 3016, because)


def read_tables(function: Function) -> str | None:
    """What is there without any layer."""
    found = function(11, 13, 12, 20, 0, 3, False)
    return compared("without any layer, for e = 12, 11 source and 13 target words", found, 457, "(11 + 2 x 13) e + 13")


def read_quadratic(function: Function) -> str | None:
    """The part of the work that grows with the square of the source's length: a second difference."""
    first, second, third = (function(1, s, 5, 12, 20, 1, 3, 17) for s in (4, 5, 6))
    found = (first - 2 * second + third) / 2
    return compared("of a layer's work, this much is multiplied by s^2, for e = 12", found, 48, "4 e")


def read_source_position(function: Function) -> str | None:
    found = function(1, 8, 5, 12, 4, 6, 1) - function(1, 7, 5, 12, 4, 6, 1)
    return compared("one more source position, with 4 layers, e = 12 and one byte a number, adds", found, 96, "4 x 2 e")


BANK = Bank(
    parts=(
        Part(
            function="count_parameters",
            asked="layers x (3 x 4 (e^2 + e) + 2 (2 e f + e + f) + 5 x 2 e) + tables x e + v",
            result="number",
            reference=count_parameters,
            mistakes=PARAMETERS,
            probes=parameters_probes,
            examples=parameters_examples,
            properties=(
                Property(says="the number of heads does not matter", holds=parameters_do_not_depend_on_heads),
                Property(says="tying saves two tables", holds=tying_saves_two_tables),
            ),
            readers=(read_layer, read_tables),
            shortcuts=("parameters", "numel"),
        ),
        Part(
            function="count_flops",
            asked="n x (layers x (attention(s, s) + attention(t, t) + attention(t, s) + 4 (s + t) e f) + 2 t e v),"
            " attention(q, k) = 4 (q + k) e^2 + 4 q k e",
            result="number",
            reference=count_flops,
            mistakes=FLOPS,
            probes=flops_probes,
            examples=flops_examples,
            properties=(
                Property(says="the number of heads does not matter", holds=flops_do_not_depend_on_heads),
                Property(says="twice the batch is twice the work", holds=flops_double_with_the_batch),
                Property(
                    says="twice the length is more than twice the work", holds=flops_more_than_double_with_the_length
                ),
            ),
            readers=(read_quadratic,),
            shortcuts=("FlopCounterMode", "get_total_flops"),
        ),
        Part(
            function="cache_bytes",
            asked="layers x 2 x n x (t + s) x e x bytes",
            result="number",
            reference=cache_bytes,
            mistakes=BYTES,
            probes=bytes_probes,
            examples=bytes_examples,
            properties=(
                Property(says="the number of heads does not matter", holds=bytes_do_not_depend_on_heads),
                Property(says="twice the batch needs twice the room", holds=bytes_double_with_the_batch),
                Property(
                    says="a source position needs as much as a target position",
                    holds=bytes_grow_alike_with_both_lengths,
                ),
            ),
            readers=(read_source_position,),
        ),
    )
)
