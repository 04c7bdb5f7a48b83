"""03: the masks and the ways in which they go wrong."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from glassformer.learn.exercise import RIGHT, Bank, Function, Part, Probe, Property, Wrong
from glassformer.learn.exercises.e03_masks.mistakes import LOOK_AHEAD, PADDING, TARGET

PAD = 9
WORDS = {1: "<s>", 5: "I", 6: "love", 0: "you", 2: "</s>", PAD: "<pad>"}
PADDED_RIGHT, PADDED_LEFT, WITH_TOKEN_0 = [1, 5, 6, 2, PAD], [PAD, PAD, 1, 5, 6], [1, 0, PAD]
SENTENCES = (PADDED_RIGHT, PADDED_LEFT, WITH_TOKEN_0)


def in_words(sentence: Sequence[int]) -> str:
    return " ".join(WORDS[token] for token in sentence)


def padding_mask(wrong: Wrong, tokens: Tensor, pad_idx: int) -> Tensor:
    words = tokens != (0 if "pad-idx-hard-coded" in wrong else pad_idx)
    if "padding-assumed-right" in wrong:
        words = torch.arange(tokens.size(1)) < words.sum(dim=1, keepdim=True)
    if "inverted" in wrong:
        words = ~words
    return on_axes(wrong, words)


def on_axes(wrong: Wrong, words: Tensor) -> Tensor:
    rows, columns = words[:, None, :, None], words[:, None, None, :]
    if "pad-on-both-axes" in wrong:
        return rows & columns
    return rows if "pad-on-query-axis" in wrong else columns


def look_ahead_mask(wrong: Wrong, length: int) -> Tensor:
    row, column = torch.arange(length)[:, None], torch.arange(length)
    seen = column <= row
    for name, other in (
        ("upper-triangle", column >= row),
        ("diagonal-excluded", column < row),
        ("one-step-ahead", column <= row + 1),
        ("nothing-hidden", column >= 0 * row),
        ("inverted", column > row),
    ):
        if name in wrong:
            seen = other
    return seen[None, None]


def target_mask(wrong: Wrong, tokens: Tensor, pad_idx: int) -> Tensor:
    look_ahead = look_ahead_mask(wrong - {"inverted"}, tokens.size(1))
    words = on_axes(wrong, tokens != (0 if "pad-idx-hard-coded" in wrong else pad_idx))
    if "pad-missing" in wrong:
        allowed = look_ahead
    elif "look-ahead-missing" in wrong:
        allowed = words
    else:
        allowed = look_ahead | words if "or-instead-of-and" in wrong else look_ahead & words
    return ~allowed if "inverted" in wrong else allowed


def every_row(function: Function, tokens: Tensor, pad_idx: int) -> Any:
    """A wrong mask may be the same for all sentences or rows, and be written out or not: that is no difference."""
    mask = function(tokens, pad_idx)
    full = (tokens.size(0), 1, tokens.size(1), tokens.size(1))
    if isinstance(mask, Tensor) and mask.ndim == 4 and all(a in (1, b) for a, b in zip(mask.shape, full, strict=True)):
        return mask.expand(full)
    return mask


def batches() -> dict[str, tuple[Tensor, int]]:
    """Token 0 is a word in all but the last."""
    rows = {
        "padding on the right": [[1, 5, 0, 9, 9], [1, 7, 6, 8, 2], [1, 2, 9, 9, 9]],
        "padding on the left": [[9, 9, 1, 5, 0, 2], [9, 1, 6, 4, 3, 2]],
        "as many sentences as positions": [[1, 0, 2, 9], [9, 1, 5, 2], [1, 2, 9, 9], [1, 3, 4, 2]],
    }
    batch = {label: (torch.tensor(tokens), PAD) for label, tokens in rows.items()}
    return batch | {"padding is token 0": (torch.tensor([[1, 5, 9, 6, 2, 0, 0]]), 0)}


def padding_probes() -> list[Probe]:
    return [Probe(label=label, arguments=batch) for label, batch in batches().items()]


def look_ahead_probes() -> list[Probe]:
    return [Probe(label=f"length {length}", arguments=(length,)) for length in (1, 2, 5)]


def target_probes() -> list[Probe]:
    return [Probe(label=label, arguments=batch, drive=every_row) for label, batch in batches().items()]


def drawn(function: Function, *arguments: Any) -> Any:
    """A mask as text: x = may attend, a row for each position that asks, rows and sentences set apart."""
    mask = function(*arguments)
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool or mask.ndim != 4 or mask.size(1) != 1:
        return mask
    return "   and   ".join(
        " / ".join(" ".join("x" if cell else "." for cell in row) for row in sentence[0]) for sentence in mask.tolist()
    )


def drawn_masks(name: str) -> list[Probe]:
    """One sentence each: padded on the right, on the left, and with a word that is token 0."""
    return [
        Probe(
            label="drawn",
            arguments=(torch.tensor([sentence]), PAD),
            drive=drawn,
            shown=f"{name}(tokens, pad_idx={PAD}), drawn row by row: x = may attend\n"
            f"  tokens = [{sentence}]: {in_words(sentence)}",
        )
        for sentence in SENTENCES
    ]


def look_ahead_examples() -> list[Probe]:
    shown = "look_ahead_mask(length=3), drawn row by row: x = may attend"
    return [Probe(label="drawn", arguments=(3,), drive=drawn, shown=shown)]


def tables(mask: Tensor, tokens: Tensor) -> Tensor:
    """A mask in its full shape, (n, t, t), without the axis of the heads."""
    n, t = tokens.shape
    return mask.expand(n, 1, t, t).squeeze(1)


def look_ahead_table(function: Function) -> Tensor:
    mask: Tensor = function(5)
    return mask.expand(1, 1, 5, 5)[0]


def sees_no_future(table: Tensor) -> bool:
    return not bool(table.triu(1).any())


def no_row_sees_padding(function: Function) -> bool:
    return not any(
        (tables(function(tokens, pad_idx), tokens) & (tokens == pad_idx)[:, None]).any()
        for tokens, pad_idx in batches().values()
    )


def every_row_sees_every_word(function: Function) -> bool:
    return all(
        (tables(function(tokens, pad_idx), tokens) | (tokens == pad_idx)[:, None]).all()
        for tokens, pad_idx in batches().values()
    )


def no_row_of_the_target_sees_the_future(function: Function) -> bool:
    return all(sees_no_future(tables(function(*batch), batch[0])) for batch in batches().values())


def every_word_sees_itself(function: Function) -> bool:
    return all(
        (tables(function(tokens, pad_idx), tokens).diagonal(dim1=1, dim2=2) | (tokens == pad_idx)).all()
        for tokens, pad_idx in batches().values()
    )


def read_hidden_tokens(function: Function) -> str | None:
    """Which token ids are taken for padding: a sentence of ten different ones is asked, with the padding at the end."""
    tokens = [0, 1, 2, 3, 4, 5, 6, 8, 9, 7]
    seen: Tensor = function(torch.tensor([tokens]), 7)
    sees = seen.expand(1, 1, 1, 10).flatten().tolist()
    hidden = sorted(token for token, is_seen in zip(tokens, sees, strict=True) if not is_seen)
    if hidden == [7]:
        return None
    return f"with pad_idx=7 you hide the tokens {', '.join(map(str, hidden)) or '(none)'}; expected 7"


def wrong_rows(yours: Tensor, expected: Tensor, sentence: Sequence[int]) -> list[tuple[bool, str]]:
    """Each row that differs, as in `row I sees <s> I love; expected <s> I`, and whether it is one of padding."""
    said = []
    rows = zip(sentence, yours.expand(expected.shape)[0, 0].tolist(), expected[0, 0].tolist(), strict=True)
    for token, ours, theirs in rows:
        if ours != theirs:
            seen, wanted = (
                in_words([each for each, is_seen in zip(sentence, row, strict=True) if is_seen]) or "nothing"
                for row in (ours, theirs)
            )
            text = f"in '{in_words(sentence)}' row {WORDS[token]} sees {seen}; expected {wanted}"
            said.append((token == PAD, text))
    return said


def read_look_ahead_rows(function: Function) -> str | None:
    sentence = PADDED_RIGHT[:-1]
    expected = look_ahead_mask(RIGHT, len(sentence))
    return next((text for _, text in wrong_rows(function(len(sentence)), expected, sentence)), None)


def read_target_rows(function: Function) -> str | None:
    """The first row of a word that differs; one of padding where all words see what they should."""
    said = []
    for sentence in SENTENCES:
        tokens = torch.tensor([sentence])
        said += wrong_rows(function(tokens, PAD), target_mask(RIGHT, tokens, PAD), sentence)
    return min(said, key=lambda row: row[0])[1] if said else None


BANK = Bank(
    parts=(
        Part(
            function="padding_mask",
            asked="tokens != pad_idx, as n 1 1 k",
            result="n 1 1 k",
            reference=padding_mask,
            mistakes=PADDING,
            probes=padding_probes,
            examples=lambda: drawn_masks("padding_mask"),
            properties=(
                Property(says="no row sees padding", holds=no_row_sees_padding),
                Property(says="every row sees every word", holds=every_row_sees_every_word),
            ),
            readers=(read_hidden_tokens,),
        ),
        Part(
            function="look_ahead_mask",
            asked="True where column <= row",
            result="1 1 t t",
            reference=look_ahead_mask,
            mistakes=LOOK_AHEAD,
            probes=look_ahead_probes,
            examples=look_ahead_examples,
            properties=(
                Property(
                    says="no row sees a later column", holds=lambda function: sees_no_future(look_ahead_table(function))
                ),
                Property(
                    says="every row sees itself",
                    holds=lambda function: bool(look_ahead_table(function).diagonal(dim1=1, dim2=2).all()),
                ),
                Property(
                    says="the last row sees everything",
                    holds=lambda function: bool(look_ahead_table(function)[0, -1].all()),
                ),
            ),
            readers=(read_look_ahead_rows,),
            pairs=False,  # a table has one shape: two of these at once are a third
        ),
        Part(
            function="target_mask",
            asked="(column <= row) and (tokens != pad_idx as n 1 1 t)",
            result="n 1 t t",
            reference=target_mask,
            mistakes=TARGET,
            probes=target_probes,
            examples=lambda: drawn_masks("target_mask"),
            properties=(
                Property(says="no row sees a later column", holds=no_row_of_the_target_sees_the_future),
                Property(says="no row sees padding", holds=no_row_sees_padding),
                Property(says="every word sees itself", holds=every_word_sees_itself),
            ),
            readers=(read_target_rows,),
        ),
    )
)
