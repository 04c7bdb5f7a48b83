"""What weights cannot say: told by whoever knows where the model was made, asked for by name where it is missing.

The vocabularies belong here too. Weights without any get "numbers": symbols that are the ids themselves, so that the
model can be used by every command before its words are found.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, get_args

from tokenizers import Tokenizer

from glassformer.data import Vocabularies, Vocabulary
from glassformer.data.vocabulary import END, PAD, START, USUAL_NAMES
from glassformer.errors import UserError, unknown_name
from glassformer.exchange.imported import ask_all
from glassformer.model.config import Activation, NormPlace, PositionKind

Divisor = Literal["embed_size", "head_dim"]
CHOICES = {"norm": NormPlace, "activation": Activation, "positions": PositionKind, "divide_by": Divisor}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Each is the option of the same name; None is not told."""

    heads: int | None = None
    norm: NormPlace | None = None
    activation: Activation | None = None
    positions: PositionKind | None = None
    max_length: int | None = None
    scale_embeddings: bool | None = None
    divide_by: Divisor | None = None  # the scores are divided by the root of it
    src_pad: int | None = None
    trg_pad: int | None = None
    start: int | None = None
    end: int | None = None
    src_start: int | None = None  # the id that each source begins with; None: with its first word
    src_end: int | None = None  # the id that each source ends with; None: as `end`
    src_vocab: Path | None = None
    trg_vocab: Path | None = None
    names: Mapping[str, str] = field(default_factory=dict)  # a part of the model -> what the file calls it
    key: str | None = None  # the dictionary inside the file that holds the weights
    leave: tuple[str, ...] = ()  # tensors that compute nothing, and are left out

    def __post_init__(self) -> None:
        for name, kinds in CHOICES.items():
            if (told := getattr(self, name)) not in (None, *get_args(kinds)):
                raise unknown_name(option(name), told, get_args(kinds))

    def require(self, reasons: Mapping[str, str]) -> None:
        """Raise UserError that asks for each of these that was not told; a reason says why weights do not tell it."""
        if missing := {option(name): why for name, why in reasons.items() if self._lacks(name)}:
            raise ask_all(missing)

    def refuse_others(self, known: Collection[str], form: str) -> None:
        """Raise UserError for what was told and plays no part in this format."""
        for each in fields(self):
            if getattr(self, each.name) not in (None, {}, ()) and each.name not in known:
                raise UserError(
                    f"{option(each.name)} was given, and a model from {form} has no choice there. Leave it out."
                )

    def _lacks(self, name: str) -> bool:
        return getattr(self, name) is None


def option(name: str) -> str:
    """How a fact is told on the command line."""
    return f"--{name.replace('_', '-')}"


WORDS = ("src_pad", "trg_pad", "start", "end", "src_start", "src_end", "src_vocab", "trg_vocab")  # facts about them
SPECIAL_IDS = {
    "src_pad": "which source id fills up short sentences",
    "trg_pad": "which target id fills up short sentences",
    "start": "which id begins a target",
    "end": "which id ends a target (and a source, unless --src-end says otherwise)",
}


def special_ids_to_ask(facts: Facts) -> dict[str, str]:
    """The ids that no vocabulary file states."""
    stated = {"src_pad"} if facts.src_vocab else set()
    stated |= {"trg_pad", "start", "end"} if facts.trg_vocab else set()
    return {name: why for name, why in SPECIAL_IDS.items() if name not in stated}


def vocabularies(facts: Facts, src_size: int, trg_size: int) -> Vocabularies:
    """The vocabularies of the two files, or numbers up to the model's sizes.

    Raises UserError for a file that is none, for an id outside it, and for a part that has no token.
    """
    facts.require(special_ids_to_ask(facts))
    trg_ids = {"pad": facts.trg_pad, "start": facts.start, "end": facts.end}
    trg = _vocabulary(facts.trg_vocab, trg_size, _told(trg_ids))
    src_ids = {"pad": facts.src_pad, "start": facts.src_start, "end": facts.src_end}
    if facts.src_vocab is None and facts.src_end is None:
        src_ids["end"] = trg.end_id
    src = _vocabulary(facts.src_vocab, src_size, _told(src_ids), source=True, opens=facts.src_start is not None)
    found = Vocabularies(src, src if src.to_json() == trg.to_json() else trg)
    found.check(src_size, trg_size)
    return found


def numbers(size: int, ids: dict[str, int], *, opens: bool = False) -> Vocabulary:
    """Symbols "0", "1", "2", ...; the special ids have their usual names, so that no number in a text spells one.

    `ids` holds those of pad, start and end.
    """
    tokens = [str(number) for number in range(size)]
    _roles(tokens, ids)  # all are within the size
    for role, name in (("end", END), ("start", START), ("pad", PAD)):  # an id that pads as well is called that
        if role in ids:
            tokens[ids[role]] = name
    return Vocabulary.from_tokens(tokens, kind="symbols", opens=opens, **_roles(tokens, ids))


def _told(ids: Mapping[str, int | None]) -> dict[str, int]:
    return {role: number for role, number in ids.items() if number is not None}


def _vocabulary(
    path: Path | None, size: int, ids: dict[str, int], *, source: bool = False, opens: bool = False
) -> Vocabulary:
    """One side's; a source need not have a start, and padding plays it then."""
    if path is None:
        return numbers(size, ids | ({"start": ids["pad"]} if source and not opens else {}), opens=opens)
    try:
        if path.suffix == ".json":
            return _from_tokenizer(path, ids, opens)
        return _from_list(path, ids, source, opens)
    except UserError as error:
        raise UserError(
            f"{path}: {str(error).removeprefix(f'{path}: ')} "
            "Here by its id: --src-pad, --src-start, --src-end, --trg-pad, --start, --end."
        ) from error


def _from_list(path: Path, ids: dict[str, int], source: bool, opens: bool) -> Vocabulary:
    """A text file with one token a line: characters where each is one, but for those in brackets; else symbols."""
    tokens = [line.removesuffix("\r") for line in _text(path).removesuffix("\n").split("\n")]
    words = [token for token in tokens if len(token) != 1 and not (token[:1] in "<[" and token[-1:] in ">]")]
    roles = _roles(tokens, ids)
    if source and not {*USUAL_NAMES["start"]} & {*tokens}:
        roles = {"start": roles.get("pad", PAD)} | roles
    return Vocabulary.from_tokens(tokens, kind="symbols" if words else "characters", opens=opens, **roles)


def _from_tokenizer(path: Path, ids: dict[str, int], opens: bool) -> Vocabulary:
    try:
        tokenizer = Tokenizer.from_str(_text(path))
    except Exception as error:  # tokenizers raises a bare Exception
        raise UserError(f"this is not the JSON of a tokenizer: {error}.") from error
    known: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
    tokens = sorted(known, key=known.__getitem__)
    vocabulary = Vocabulary.from_json(_text(path), **_roles(tokens, ids))
    if opens and not vocabulary.opens:
        raise UserError("this tokenizer puts nothing before a text. For --src-start give a list of tokens instead.")
    return vocabulary


def _roles(tokens: list[str], ids: dict[str, int]) -> dict[str, str]:
    """The token that plays each part whose id is told."""
    return {role: tokens[_known_id(role, number, len(tokens))] for role, number in ids.items()}


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"this is no vocabulary that can be read: {error}.") from error


def _known_id(role: str, number: int, size: int) -> int:
    if not 0 <= number < size:
        raise UserError(f"the id of {role}, {number}, is not in a vocabulary of {size}: ids go from 0 to {size - 1}.")
    return number
