"""A run, written down: which data, which vocabulary, which model, how trained, how decoded, how scored.

Every field can be changed by its name, from Python (`changed`) and from the command line (`--embed-size 256`).
"""

import inspect
import types
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import reduce
from operator import or_
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from glassformer.decode import DecodingConfig
from glassformer.errors import UserError, unknown_name
from glassformer.learn.zoo import FAULTS
from glassformer.model.transformer import Transformer
from glassformer.train import TrainingConfig

Kind = Literal["characters", "symbols", "bpe"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what a training run does, but the machine it runs on."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str  # of the run
    data: str  # a named data set
    src_kind: Kind | None = None  # how source text becomes tokens; None: what suits the data
    trg_kind: Kind | None = None  # the same for target text
    vocab_size: int = 8000  # entries of a bpe vocabulary
    joint: bool | None = None  # one vocabulary for both sides; None: what suits the data
    model: dict[str, Any] = field(default_factory=dict)  # the Transformer's arguments that differ from its defaults
    training: TrainingConfig = field(default_factory=TrainingConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)
    scores: tuple[str, ...] | None = None  # None: those of the data set; the first one chooses the best checkpoint
    valid_sentences: int = 500  # how many validation sentences are decoded at each evaluation
    fault: str | None = None  # a mistake planted on purpose in the built model, one of learn/zoo


MODEL_FIELDS = {
    name: hint
    for name, hint in get_type_hints(Transformer.__init__).items()
    if name not in {"src_vocab_size", "trg_vocab_size", "src_pad_idx", "trg_pad_idx", "device", "dtype", "return"}
}
LIMITS = ("max_steps", "max_minutes")
OWN_FIELDS = ("src_kind", "trg_kind", "vocab_size", "joint", "scores", "valid_sentences", "fault")


def settings(recipe: Recipe) -> dict[str, Any]:
    """Every setting by its name with its present value: the run's own, the model's, the training's, `decoding_...`."""
    defaults = inspect.signature(Transformer).parameters
    return (
        {name: getattr(recipe, name) for name in OWN_FIELDS}
        | {name: recipe.model.get(name, defaults[name].default) for name in MODEL_FIELDS}
        | asdict(recipe.training)
        | {f"decoding_{name}": value for name, value in asdict(recipe.decoding).items()}
    )


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe with these settings; text values are read as the setting's type.

    One limit (max_steps, max_minutes) takes the place of the recipe's own; of two given, the nearer counts. Raises
    UserError for an unknown name (with near ones) and for a value that does not fit.
    """
    names = settings(recipe)
    own: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {"model": {}, "training": {}, "decoding": {}}
    training_hints, decoding_hints = get_type_hints(TrainingConfig), get_type_hints(DecodingConfig)
    own_hints = get_type_hints(Recipe)
    for given, value in changes.items():
        name = given.replace("-", "_")
        if name not in names:
            raise unknown_name(f"setting of run {recipe.name!r}", name, names)
        if name in OWN_FIELDS:
            own[name] = parsed(name, value, own_hints[name])
            if name == "fault" and own[name] not in (None, *FAULTS):
                raise unknown_name("fault", own[name], FAULTS)
            if name == "valid_sentences" and own[name] < 1:
                raise UserError(f"valid_sentences={own[name]} is too small: the best checkpoint is chosen by them.")
        elif name in MODEL_FIELDS:
            parts["model"][name] = parsed(name, value, MODEL_FIELDS[name])
        elif name in training_hints:
            parts["training"][name] = parsed(name, value, training_hints[name])
        else:
            field_name = name.removeprefix("decoding_")
            parts["decoding"][field_name] = parsed(name, value, decoding_hints[field_name])
    if any(parts["training"].get(name) is not None for name in LIMITS):
        parts["training"] = dict.fromkeys(LIMITS) | parts["training"]
    return replace(
        recipe,
        **own,
        model=recipe.model | parts["model"],
        training=replace(recipe.training, **parts["training"]),
        decoding=replace(recipe.decoding, **parts["decoding"]),
    )


def parsed(name: str, value: Any, hint: Any) -> Any:
    """A value given as text, as the type the setting has; other values pass through the same check."""
    if get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint):
        if value is None or (isinstance(value, str) and value.lower() == "none"):
            return None
        hint = reduce(or_, (part for part in get_args(hint) if part is not type(None)))
    adapter: TypeAdapter[Any] = TypeAdapter(hint)
    try:
        if isinstance(value, str) and get_origin(hint) is tuple:
            return adapter.validate_python([part.strip() for part in value.split(",") if part.strip()])
        return adapter.validate_strings(value) if isinstance(value, str) else adapter.validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise UserError(f"{name}={value!r} does not fit: {reason}.") from error


def from_dict(values: Mapping[str, Any]) -> Recipe:
    """The recipe that `as_dict` wrote down."""
    try:
        return TypeAdapter(Recipe).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"the saved run cannot be read: {where}: {first['msg']}.") from error


def as_dict(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain JSON values, as config.json keeps it."""
    return {item.name: getattr(recipe, item.name) for item in fields(recipe)} | {
        "training": asdict(recipe.training),
        "decoding": asdict(recipe.decoding),
    }
