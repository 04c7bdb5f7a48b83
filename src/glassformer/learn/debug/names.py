"""What the console of a case offers, each name with a line of explanation. Imports no torch."""

BASICS: dict[str, str] = {
    "model": "model(src, trg): logits (n, t, v) for the token after each position of trg (n, t)",
    "loss": "loss(logits, targets): the number that training lowers",
    "greedy": "greedy(src): for each source a list of ids, written one token at a time",
    "src": "eight sources (n, s): letters, end, then pad; the longest is first",
    "trg": "their targets (n, t): start, the letters backwards, end, then pad",
    "pad": "the id that fills up short sentences",
    "start": "the id that a target begins with",
    "end": "the id that ends a sentence",
    "torch": "PyTorch",
    "F": "torch.nn.functional",
}
EXTRAS: dict[str, str] = {
    "cached": "cached(src, trg): the logits of model(src, trg), computed one token at a time with a cache",
    "beam": "beam(src, width): for one source (1, s) the answer found, as .ids and .log_prob",
    "log_prob": "log_prob(src, ids): of one source (1, s), the log probability of these ids with their end",
    "attend": "attend(queries, keys, values, mask): the model's attention, all heads at once, (n, q, h, d)",
    "queries": "a sample for attend, (n, q, h, d)",
    "keys": "a sample for attend, (n, k, h, d)",
    "values": "a sample for attend, (n, k, h, d)",
    "mask": "a sample for attend, (n, 1, q, k), True = may attend",
    "reach": "reach(trg): (n, t, t), True where the decoder's self-attention at a row's position reads a column's",
}
EXTRAS_OF: dict[str, tuple[str, ...]] = {
    "D6": ("cached",),
    "D8": ("beam", "log_prob"),
    **{f"D9{part}": ("attend", "queries", "keys", "values", "mask", "reach") for part in "abcd"},
}


def names_for(number: str) -> dict[str, str]:
    """The names of one case's console."""
    return BASICS | {name: EXTRAS[name] for name in EXTRAS_OF.get(number, ())}
