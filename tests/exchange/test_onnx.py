"""A model exported to ONNX computes the same numbers in ONNX Runtime, and writes the same answers."""

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from glassformer.checkpoint import load
from glassformer.data import Vocabularies, Vocabulary
from glassformer.decode import DecodingConfig, Translator, greedy
from glassformer.errors import UserError
from glassformer.exchange import onnx as module
from glassformer.exchange.onnx import export
from glassformer.learn.zoo import FAULTS, plant
from glassformer.look.sisters import HOME
from glassformer.look.watch import watch
from glassformer.model.attention import MultiHeadAttention, attention
from glassformer.model.fused import use_attention, use_fused
from glassformer.model.transformer import Transformer
from tests.decode.peaked import padded, sources
from tests.exchange.small import VOCABULARIES, float_model
from tests.small import SRC_VOCAB, VARIANTS, small_batch, variant_name

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

BROKEN = onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument
TIE = 1e-4
START, END = VOCABULARIES.trg.start_id, VOCABULARIES.trg.end_id
MORE_VARIANTS = [
    dict(norm="post", final_norms=True, trg_pad_idx=None),
    dict(norm="pre", tie_embeddings="three-way", trg_vocab_size=SRC_VOCAB, scale_embeddings=True),
    dict(num_layers=1, decoder_layers=3, heads=4, decoder_heads=1, forward_expansion=1.25, activation="gelu"),
    dict(trg_pad_idx=START),
]


def session(model: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options)


def documented_loop() -> Callable[[Path, NDArray[np.int64], int], NDArray[np.int64]]:
    """The loop over ONNX Runtime that the module's docstring shows."""
    text = module.__doc__ or ""
    code = text[text.index("    def greedy") :]
    names: dict[str, Any] = {"InferenceSession": session, "json": json, "np": np}
    exec(dedent(code), names)
    loop: Callable[[Path, NDArray[np.int64], int], NDArray[np.int64]] = names["greedy"]
    return loop


class Exported:
    """A folder's two graphs."""

    def __init__(self, model: Transformer, folder: Path, vocabularies: Vocabularies = VOCABULARIES) -> None:
        self.model, self.vocabularies, self.folder = model, vocabularies, folder / "exported"
        export(model, vocabularies, self.folder)
        self.encoder, self.step = (session(self.folder / f"{name}.onnx") for name in ("encoder", "decoder_step"))

    def read(self, src: Tensor) -> list[NDArray[Any]]:
        """memory, and what is read of the source."""
        outputs: list[NDArray[Any]] = self.encoder.run(None, {"src": src.numpy()})
        return outputs

    def logits(self, src: Tensor, trg: Tensor, chunks: list[int]) -> Tensor:
        """(n, t, v), computed for so many new tokens at a time."""
        _, *read = self.read(src)
        _, *inputs = self.step.get_inputs()
        kept = [np.zeros((len(src), 0, *each.shape[2:]), np.float32) for each in inputs[len(read) :]]
        found, length = [], 0
        for chunk in chunks:
            length += chunk
            given = dict(zip([each.name for each in inputs], [*read, *kept], strict=True))
            logits, *kept = self.step.run(None, {"trg": trg[:, :length].numpy(), **given})
            found.append(torch.from_numpy(logits))
        return torch.cat(found, dim=1)


@pytest.fixture(scope="module", params=[*VARIANTS, *MORE_VARIANTS], ids=variant_name)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A model of every configuration."""
    torch.manual_seed(0)
    return Exported(float_model(**request.param), tmp_path_factory.mktemp("onnx"))


@pytest.mark.parametrize(("sentences", "src_len", "trg_len"), [(3, 7, 6), (1, 1, 1), (4, 16, 16)])
def test_logits_are_the_same_at_once_in_chunks_and_token_by_token(
    exported: Exported, sentences: int, src_len: int, trg_len: int
) -> None:
    src, trg = small_batch(sentences, src_len, trg_len)
    trg[0, 0] = START
    with torch.no_grad():
        ours = exported.model(src, trg)
    for chunks in ([trg_len], [1] * trg_len, [trg_len - trg_len // 2, trg_len // 2]):
        theirs = exported.logits(src, trg, [chunk for chunk in chunks if chunk])
        assert torch.allclose(theirs, ours, rtol=0, atol=1e-4)


def test_greedy_answers_are_the_same_in_every_configuration(exported: Exported) -> None:
    assert differing_answers(exported, sources(100), longest=12) <= 2


def test_500_greedy_answers_of_a_trained_model_are_the_same(tmp_path: Path) -> None:
    model, vocabularies, _ = load(HOME / "honest")
    draw = random.Random(0)
    texts = [" ".join(draw.choices("abcdefghij", k=1 + row % 25)) for row in range(500)]
    src = [[*ids, vocabularies.src.end_id] for ids in vocabularies.src.encode_batch(texts)]
    assert differing_answers(Exported(model, tmp_path, vocabularies), src, longest=30) == 0


def differing_answers(exported: Exported, src: list[list[int]], longest: int) -> int:
    """Write the same sources by our decoder and by the documented loop; how many answers differ, in ties alone."""
    model, trg = exported.model, exported.vocabularies.trg
    config = DecodingConfig(max_ratio=0, max_extra=longest, forced_end=False)
    ours = [each.ids for each in greedy(model, padded(src), trg.start_id, trg.end_id, config)]
    rows = documented_loop()(exported.folder, padded(src).numpy(), longest)[:, 1:].tolist()
    theirs = [row[: [*row, trg.end_id].index(trg.end_id)] for row in rows]
    different = [each for each in zip(src, ours, theirs, strict=True) if each[1] != each[2]]
    for source, *answers in different:
        pairs = enumerate(zip(*([*answer, trg.end_id] for answer in answers), strict=False))
        place, pair = next((place, pair) for place, pair in pairs if pair[0] != pair[1])
        with torch.no_grad():
            logits = model(torch.tensor([source]), torch.tensor([[trg.start_id, *answers[0][:place]]]))[0, -1]
        assert abs(float(logits[pair[0]] - logits[pair[1]])) < TIE
    return len(different)


def test_every_value_is_the_one_that_watch_shows(tmp_path: Path) -> None:
    model = float_model(positions="sinusoidal", scale_embeddings=True, norm="pre", activation="gelu")
    exported, (src, trg) = Exported(model, tmp_path), small_batch()
    with watch(model) as seen, torch.no_grad():
        model(src, trg)
    _, *read = exported.read(src)
    _, *inputs = exported.step.get_inputs()
    kept = [np.zeros((len(src), 0, *each.shape[2:]), np.float32) for each in inputs[len(read) :]]
    given = dict(zip([each.name for each in inputs], [*read, *kept], strict=True))
    compared = set()
    for name, feeds in (("encoder", {"src": src.numpy()}), ("decoder_step", {"trg": trg.numpy(), **given})):
        graph = onnx.load(exported.folder / f"{name}.onnx")
        outputs = {output.name for output in graph.graph.output}
        names = [node.name for node in graph.graph.node if node.name in seen]
        graph.graph.output.extend(
            onnx.helper.make_empty_tensor_value_info(name) for name in names if name not in outputs
        )
        for each, theirs in zip(names, session(graph.SerializeToString()).run(names, feeds), strict=True):
            ours = seen[each].value
            assert torch.allclose(torch.from_numpy(theirs).to(ours.dtype), ours, rtol=1e-5, atol=1e-4), each
            compared.add(each)
    assert {name.rpartition(".")[2] for name in compared} >= {
        "src_mask", "trg_mask", "embedded", "positioned", "normed", "queries", "keys", "values", "energy",
        "masked_energy", "attention", "heads_out", "out", "hidden", "residual_sum", "memory", "decoded", "logits",
    }  # fmt: skip


def test_the_facts_beside_the_graphs_are_enough_to_translate(tmp_path: Path) -> None:
    both = Vocabularies(*[Vocabulary.train(["a b c", "ab ca"], kind="bpe", size=300)] * 2)
    model = float_model(src_vocab_size=320, trg_vocab_size=310, max_length=40)
    exported = Exported(model, tmp_path, both)
    facts = json.loads((exported.folder / "glassformer.json").read_text(encoding="utf-8"))
    sides = {side: Tokenizer.from_file(str(exported.folder / facts[side]["tokenizer"])) for side in ("src", "trg")}
    ids = [*sides["src"].encode("ab c", add_special_tokens=False).ids, facts["src"]["end"]]
    src = np.array([[*ids, facts["src"]["pad"]]])
    written = documented_loop()(exported.folder, src, 9)[0, 1:].tolist()
    answer = written[: [*written, facts["trg"]["end"]].index(facts["trg"]["end"])]
    config = DecodingConfig(max_ratio=0, max_extra=9, forced_end=False)
    assert sides["trg"].decode(answer) == Translator(model, both, config).translate(["ab c"])[0]
    assert facts["max_length"] == 40
    for name, graph in (("encoder.onnx", exported.encoder), ("decoder_step.onnx", exported.step)):
        for kind, ports in (("inputs", graph.get_inputs()), ("outputs", graph.get_outputs())):
            assert {port.name: port.shape for port in ports} == {
                port: each["axes"] for port, each in facts[name][kind].items()
            }


def test_the_graphs_hold_what_the_format_demands(exported: Exported, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("encoder.onnx", "decoder_step.onnx"):
        onnx.checker.check_model(exported.folder / name, full_check=True)
        (opset,) = onnx.load(exported.folder / name).opset_import
        assert (opset.domain, opset.version) == ("", 20)
        session(exported.folder / name)
    assert capfd.readouterr() == ("", "")  # ONNX Runtime warns there of what it has to repair


def test_weights_keep_their_names_and_a_tied_one_is_there_once(tmp_path: Path) -> None:
    model = float_model(tie_embeddings="three-way", trg_vocab_size=SRC_VOCAB)
    folder = Exported(model, tmp_path).folder
    state, found = model.state_dict(), set()
    for name in ("encoder.onnx", "decoder_step.onnx"):
        for each in onnx.load(folder / name).graph.initializer:
            weight, table = each.name.removesuffix(".transposed"), onnx.numpy_helper.to_array(each)
            if weight in state:
                assert np.array_equal(table, state[weight].numpy().T if weight != each.name else state[weight].numpy())
                found.add(weight)
    assert found == state.keys() - {"decoder.word_embedding.weight", "fc_out.weight"}


def test_fused_attention_half_precision_and_training_mode_are_exported_as_what_they_are(tmp_path: Path) -> None:
    model = use_fused(float_model(dropout=0.3)).to(torch.bfloat16).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    exported, (src, trg) = Exported(model, tmp_path), small_batch()
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    with torch.no_grad():
        ours = model.to(torch.float32).eval()(src, trg)
    assert torch.allclose(exported.logits(src, trg, [6]), ours, rtol=0, atol=1e-4)


def test_weights_beyond_the_limit_of_a_file_stand_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 1000)
    model, (src, trg) = float_model(embed_size=24), small_batch()
    exported = Exported(model, tmp_path)
    assert (exported.folder / "encoder.onnx").stat().st_size < (exported.folder / "encoder.onnx.data").stat().st_size
    with torch.no_grad():
        assert torch.allclose(exported.logits(src, trg, [6]), model(src, trg), rtol=0, atol=1e-4)


def test_more_tokens_than_the_model_has_positions_are_an_error(tmp_path: Path) -> None:
    exported, src = Exported(float_model(), tmp_path), torch.ones(1, 17, dtype=torch.long)
    with pytest.raises(BROKEN, match="out of data bounds"):
        exported.read(src)
    for chunks in ([17], [16, 1], [15, 2]):
        with pytest.raises(BROKEN, match="out of data bounds"):
            exported.logits(src[:, :3], src, chunks)


def test_an_export_that_ends_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save = onnx.save

    def fail_at_the_second(graph: Any, path: Path, **choices: Any) -> None:
        assert not (tmp_path / "exported").exists()
        if path.name == "decoder_step.onnx":
            raise OSError(28, "No space left on device")
        save(graph, path, **choices)

    monkeypatch.setattr(onnx, "save", fail_at_the_second)
    refused(float_model(), tmp_path, "could not be written: No space left")


class Turned(MultiHeadAttention):
    """What an experiment may be: a subclass."""


def refused(model: Transformer, folder: Path, match: str, vocabularies: Vocabularies = VOCABULARIES) -> None:
    with pytest.raises(UserError, match=match):
        export(model, vocabularies, folder / "exported")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_refused(fault: str, tmp_path: Path) -> None:
    model = float_model(positions="sinusoidal", scale_embeddings=True, dropout=0.1, final_norms=True)
    refused(plant(model, fault), tmp_path, "which ONNX does not compute")


def test_experiments_are_refused_by_name(tmp_path: Path) -> None:
    model = float_model()
    model.decoder.layers[1].self_attention = Turned(12, 2)
    refused(model, tmp_path, r"decoder\.layers\.1\.self_attention is a Turned")
    lopsided = use_attention(float_model(), lambda q, k, v, mask: attention(q, k, v, mask) * 2)
    refused(lopsided, tmp_path, r"encoder\.layers\.0\.self_attention\.attend is <lambda>")


def test_what_the_modules_do_not_tell_is_found_by_measuring(tmp_path: Path) -> None:
    hooked = float_model()
    hooked.decoder.layers[0].register_forward_hook(lambda module, given, out: out * 1.01)
    refused(hooked, tmp_path, "the model's logits differ by .* a hook or a replaced function")
    other: Any = float_model()
    other.encoder.layers[1].feed_forward.activation = torch.tanh
    refused(other, tmp_path, "the model's logits differ by .* a hook or a replaced function")
    large = float_model(dtype=torch.float64).double()
    with torch.no_grad():
        large.fc_out.weight.mul_(1e100)
    refused(large, tmp_path, "too large for float32")


def test_broken_weights_and_vocabularies_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    model = float_model()
    refused(model, tmp_path, "the target vocabulary has", VOCABULARIES._replace(trg=VOCABULARIES.src))
    with torch.no_grad():
        model.fc_out.bias[3] = float("nan")
    refused(model, tmp_path, r"fc_out\.bias holds what is not a number")


def test_a_folder_that_holds_something_is_never_lost(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="is there already"):
        export(float_model(), VOCABULARIES, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_without_the_library_the_error_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    refused(float_model(), tmp_path, r"ONNX is not installed: pip install 'glassformer\[exchange\]'")
