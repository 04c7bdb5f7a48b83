"""D10, where the learner writes the test: models to accept, models to reject, and what the test did with them."""

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from glassformer.learn.debug.decoding import Logits, cached_logits
from glassformer.learn.debug.probe import as_bool, described, first_line
from glassformer.learn.debug.system import new_model
from glassformer.learn.debug.task import PAD, VOCABULARY, reversals
from glassformer.learn.debug.verdict import DebugVerdict
from glassformer.learn.zoo import plant
from glassformer.model.fused import use_fused
from glassformer.model.transformer import Transformer

HERE = Path(__file__).parent
SENTENCES, SEED = 6, 30
Model = TypeVar("Model", Transformer, "FromPyTorch")
Accepts = Callable[[Logits, Logits, Tensor, Tensor, int], bool]


class Subject(NamedTuple):
    """A model to be tested, and what there is to say when the test errs."""

    model: Logits
    cached: Logits
    right: bool
    about: str


# Each fault is planted in a model with random weights of its own
PLANTED = {
    "no-look-ahead": "the logits of a position depend on target tokens after it",
    "no-source-padding-mask": "more padding after a source changes the answer",
    "decoder-ignores-source": "whatever the source is, the answer is the same",
    "positions-ignored": "the words of a source may change places, and the answer stays the same",
    "positions-restart-with-cache": "one token at a time with the cache gives other logits than one pass",
}
LAST_DIGITS = (
    "Numbers computed in another order differ in their last digits, which is no fault: where a test asks whether two "
    "are equal, it needs a tolerance."
)


def task() -> str:
    """The learner's file as it is at the start."""
    return (HERE / "d10_task.py").read_text(encoding="utf-8")


def solution() -> str:
    return (HERE / "d10_solution.py").read_text(encoding="utf-8")


def check_test(accepts: Accepts) -> DebugVerdict:
    """Judge a test: it must reject five models with a fault and accept three right ones.

    Runs the learner's function: call it in a child process with a time limit. The verdict tells of a fault that was
    not caught only what it does.
    """
    missed, accused = [], []
    src, trg = reversals(SENTENCES, SEED)
    for subject in subjects():
        try:
            with torch.no_grad():
                accepted = accepts(subject.model, subject.cached, src.clone(), trg[:, :-1].clone(), PAD)
        except NotImplementedError:
            return DebugVerdict("not started", ("accepts is not written yet.",))
        except Exception as error:
            return DebugVerdict("wrong", (f"accepts stops{line_of(error, accepts)} {message(error)}",))
        if (verdict := as_bool(accepted)) is None:
            return DebugVerdict("wrong", (f"accepts answers {described(accepted)}. It must be True or False.",))
        if verdict and not subject.right:
            missed.append(f"A model was accepted although {subject.about}.")
        if subject.right and not verdict:
            accused.append(f"A right model was rejected: {subject.about}")
    caught = (
        f"Faults caught: {len(PLANTED) - len(missed)} of {len(PLANTED)}. Right models rejected: {len(accused)} of 3."
    )
    advice = [LAST_DIGITS] if accused else []
    return DebugVerdict("wrong" if missed or accused else "passed", (caught, *missed, *accused, *advice))


def message(error: Exception) -> str:
    return f"with {type(error).__name__}: {first_line(error)}"


def line_of(error: Exception, accepts: Accepts) -> str:
    """In which line of the learner's file, where that can be told."""
    code = getattr(accepts, "__code__", None)
    own = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if code and frame.filename == code.co_filename
    ]
    return f" in line {own[-1]}" if own else ""


def subjects() -> Iterator[Subject]:
    """The models in an order that tells nothing, newly built, with random weights, in float32."""
    yield ours(1, "written out as in this project, one layer, norms before the sublayers.")
    for seed, (fault, about) in enumerate(PLANTED.items(), start=2):
        if seed == 4:
            yield theirs(10)
        yield ours(seed, about, fault=fault)
    yield ours(
        11, "the attention is PyTorch's fused kernel, the norms come after the sublayers.", fused=True, norm="post"
    )


def ours(seed: int, about: str, *, fault: str | None = None, fused: bool = False, **choices: Any) -> Subject:
    model = with_large_logits(lambda: new_model(tie_embeddings="none", **choices), seed)
    if fused:
        use_fused(model)
    plant(model, fault)
    return Subject(model, lambda src, trg: cached_logits(model, src, trg), fault is None, about)


def theirs(seed: int) -> Subject:
    """torch.nn.Transformer with embeddings around it. It has no cache: it reads everything again for each token."""
    model = with_large_logits(FromPyTorch, seed)

    def reread(src: Tensor, trg: Tensor) -> Tensor:
        return torch.stack([model(src, trg[:, : t + 1])[:, -1] for t in range(trg.size(1))], dim=1)

    return Subject(model, reread, True, "it is torch.nn.Transformer, used as it should be.")


class FromPyTorch(nn.Module):
    """An encoder-decoder of PyTorch's own layers, with learned positions."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(VOCABULARY, 24), nn.Embedding(16, 24)
        layer = nn.TransformerEncoderLayer(24, 2, 48, dropout=0.0, batch_first=True)
        # Nested tensors would cut columns of padding off the memory.
        encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.layers = nn.Transformer(24, 2, 1, 1, 48, dropout=0.0, batch_first=True, custom_encoder=encoder)
        self.fc_out = nn.Linear(24, VOCABULARY)

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        hidden = torch.ones(trg.size(1), trg.size(1), dtype=torch.bool).triu(1)  # True = hidden, with these layers
        decoded = self.layers(
            self.entering(src),
            self.entering(trg),
            tgt_mask=hidden,
            src_key_padding_mask=src == PAD,
            memory_key_padding_mask=src == PAD,
        )
        logits: Tensor = self.fc_out(decoded)
        return logits

    def entering(self, tokens: Tensor) -> Tensor:
        entering: Tensor = self.words(tokens) + self.places(torch.arange(tokens.size(1)))
        return entering


@torch.no_grad()
def with_large_logits(make: Callable[[], Model], seed: int) -> Model:
    """A model with random weights whose logits are several units apart, so that what differs, differs clearly."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make().eval()
        model.fc_out.weight.normal_()
    return model
