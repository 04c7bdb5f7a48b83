"""Which tensor of a PyTorch script's state dict is which part: the usual names are recognised, others are told."""

import re
from collections.abc import Mapping

from glassformer.errors import UserError, unknown_name
from glassformer.exchange.imported import Source

STACKS = ("encoder", "decoder")  # their names are what stands before "layers.0."
TABLES = ("src_embedding", "trg_embedding", "src_positions", "trg_positions", "output")
FIRST = "layers.0.self_attn.in_proj_weight"
KINDS = {  # what names hold that are one of these, tried in this order
    "positions": r"pos|(^|[._])pe($|[._])",
    "embedding": r"emb|lut|tok",
    "output": r"generator|out|proj|head|logits|classifier|linear|(^|[._])fc($|[._])",
}
SIDES = {"src": r"(^|[._])(src|source|enc|inp)", "trg": r"(^|[._])(trg|tgt|target|dec|out)"}


def find_parts(source: Source, told: Mapping[str, str]) -> dict[str, str]:
    """The prefix of each stack, and the full name of each table; positions are left out where there is no table.

    `told` has names of parts as keys, and as values modules or tensors of the file. Raises UserError that lists what
    was found where a part is missing, or may be one of several.
    """
    for part in told:
        if part not in (*STACKS, *TABLES):
            raise unknown_name("part of a model in --names", part, (*STACKS, *TABLES))
    prefixes = {stack: _prefix(source, stack, told) for stack in STACKS}
    rest = [name for name in source if not name.startswith(tuple(f"{prefix}layers." for prefix in prefixes.values()))]
    weights = [name for name in rest if not name.endswith("bias") and name not in _final_norms(prefixes)]
    found = {
        "src_embedding": _ask_for(source, "src_embedding", told, _of(weights, "embedding", "src")),
        "trg_embedding": _ask_for(source, "trg_embedding", told, _of(weights, "embedding", "trg")),
        "output": _ask_for(source, "output", told, _of(weights, "output", None)),
    }
    for side in SIDES:
        positions = _of(weights, "positions", side)
        if positions or f"{side}_positions" in told:
            found[f"{side}_positions"] = _ask_for(source, f"{side}_positions", told, positions)
    return prefixes | found


def _prefix(source: Source, stack: str, told: Mapping[str, str]) -> str:
    if stack in told:
        prefix = f"{told[stack].removesuffix('.')}."
        if prefix + FIRST not in source:
            raise UserError(f"{source.where} has no tensor {prefix + FIRST!r}, as --names {stack}={told[stack]} says.")
        return prefix
    cross = FIRST.replace("self_attn", "multihead_attn")
    prefixes = [name.removesuffix(FIRST) for name in source if name.endswith(FIRST)]
    found = [prefix for prefix in prefixes if (prefix + cross in source) == (stack == "decoder")]
    if len(found) != 1:
        raise UserError(
            f"{source.where} has {len(found)} {stack}s of nn.Transformer (a tensor ...{FIRST}). "
            + (f"Say which with --names {stack}=...: {', '.join(found)}." if found else "Is it of another kind?")
        )
    return found[0]


def _final_norms(prefixes: Mapping[str, str]) -> set[str]:
    return {f"{prefix}norm.weight" for prefix in prefixes.values()}


def _of(names: list[str], kind: str, side: str | None) -> list[str]:
    """The names that look like this kind, on this side where names say sides at all."""
    alike = [name for name in names if _kind(name) == kind]
    of_side = [name for name in alike if side and _side(name) == side]
    return of_side or [name for name in alike if side is None or _side(name) is None]


def _kind(name: str) -> str | None:
    return next((kind for kind, pattern in KINDS.items() if re.search(pattern, name.lower())), None)


def _side(name: str) -> str | None:
    plain = re.sub("encoding", "", name.lower())
    return next((side for side, pattern in SIDES.items() if re.search(pattern, plain)), None)


def _ask_for(source: Source, part: str, told: Mapping[str, str], found: list[str]) -> str:
    if part in told:
        names = [name for name in (told[part], f"{told[part]}.weight") if name in source]
        if not names:
            outside = [name.removesuffix(".weight") for name in source if "layers." not in name]
            raise unknown_name(f"tensor of {source.where}", told[part], outside)
        return names[0]
    if len(found) != 1:
        known = ", ".join(found or [name for name in source if "layers." not in name])
        raise UserError(
            f"{source.where}: which tensor is {part} is not clear. Say it with --names {part}=NAME; "
            f"{'it may be one of' if found else 'outside the stacks there are'} {known}."
        )
    return found[0]
