"""A folder of CTranslate2 is read without the library, and gives the library's numbers."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from glassformer.decode import DecodingConfig, Translator
from glassformer.errors import UserError
from glassformer.exchange.ct2_binary import read, waves
from glassformer.exchange.ct2_file import DTYPES, read_binary
from glassformer.exchange.ctranslate2 import export
from glassformer.exchange.imported import Imported
from tests.exchange.damage import outcomes
from tests.exchange.small import VOCABULARIES, float_model
from tests.small import SRC_VOCAB, TRG_VOCAB, VARIANTS, small_model, variant_name

ctranslate2 = pytest.importorskip("ctranslate2")

MORE_VARIANTS = [
    dict(norm="pre", tie_embeddings="three-way", trg_vocab_size=SRC_VOCAB, scale_embeddings=True),
    dict(num_layers=1, decoder_layers=3, heads=4, decoder_heads=1, forward_expansion=1.25, activation="gelu"),
]


def library_log_probs(folder: Path, sources: list[list[str]], targets: list[list[str]]) -> list[list[float]]:
    translator = ctranslate2.Translator(str(folder), intra_threads=1, compute_type="float32")
    return [scored.log_probs for scored in translator.score_batch(sources, targets, max_input_length=0)]


@torch.no_grad()
def our_log_probs(imported: Imported, sources: list[list[int]], targets: list[list[int]]) -> list[Tensor]:
    """Of each token of the targets, </s> included."""
    src, trg = imported.vocabularies
    pad = imported.model.config.src_pad_idx
    inputs, outputs = [[trg.start_id, *ids] for ids in targets], [[*ids, trg.end_id] for ids in targets]
    logits = imported.model(padded([[*ids, src.end_id] for ids in sources], pad), padded(inputs, 0))
    log_probs = logits.log_softmax(dim=2).gather(2, padded(outputs, 0).unsqueeze(2)).squeeze(2)
    return [row[: len(ids)] for row, ids in zip(log_probs, outputs, strict=True)]


def padded(rows: list[list[int]], pad: int) -> Tensor:
    return torch.tensor([[*row, *[pad] * (max(map(len, rows)) - len(row))] for row in rows])


def check_same(folder: Path, within: float) -> None:
    """The library's log-probabilities of some targets are ours."""
    imported = read(folder)
    src, trg = imported.vocabularies
    sources = [[4 + (row + place) % (SRC_VOCAB - 4) for place in range(row + 1)] for row in range(12)]
    targets = [[4 + (row * place) % (TRG_VOCAB - 4) for place in range(row)] for row in range(12)]
    theirs = library_log_probs(
        folder,
        [[src.piece(number) for number in source] for source in sources],
        [[trg.piece(number) for number in target] for target in targets],
    )
    for expected, ours in zip(theirs, our_log_probs(imported, sources, targets), strict=True):
        assert torch.allclose(ours, torch.tensor(expected), rtol=within / 5, atol=within)


@pytest.fixture(scope="module")
def names(shared_data: Path) -> tuple[Path, list[tuple[str, str]]]:
    """The trained model of Arabic names, and its test pairs."""
    folder = shared_data / "translit-ar-en"
    lines = (folder / "ar2en-test.txt").read_text("utf-8").splitlines()
    return folder / "ctranslate2-model", [(source, target) for source, target in (line.split("\t") for line in lines)]


def test_a_trained_model_gives_the_librarys_log_probabilities(names: tuple[Path, list[tuple[str, str]]]) -> None:
    folder, pairs = names
    imported = read(folder)
    src, trg = imported.vocabularies
    theirs = library_log_probs(folder, [list(source) for source, _ in pairs], [list(target) for _, target in pairs])
    apart = []
    for start in range(0, len(pairs), 200):
        some = pairs[start : start + 200]
        ours = our_log_probs(imported, [src.encode(s) for s, _ in some], [trg.encode(t) for _, t in some])
        for mine, expected in zip(ours, theirs[start : start + 200], strict=True):
            apart.append((mine - torch.tensor(expected)).abs())
    differences = torch.cat(apart)
    # Rounding alone: the library's AVX-512 kernels are as near as its others, but for one token of 12,508 (1.07e-5).
    assert differences.median() < 1e-6
    assert differences.max() < 3e-5


def test_a_trained_model_writes_the_librarys_answers(names: tuple[Path, list[tuple[str, str]]]) -> None:
    folder, pairs = names
    imported, sources = read(folder), [source for source, _ in pairs]
    config = DecodingConfig(max_ratio=0, max_extra=100)
    ours = Translator(imported.model, imported.vocabularies, config).translate(sources)
    library = ctranslate2.Translator(str(folder), intra_threads=1, compute_type="float32")
    found = library.translate_batch([list(source) for source in sources], beam_size=1, max_decoding_length=100)
    theirs = ["".join(result.hypotheses[0]) for result in found]
    rates = [
        sum(answer == target for answer, (_, target) in zip(answers, pairs, strict=True)) / len(pairs)
        for answers in (ours, theirs)
    ]
    assert rates[0] == rates[1] == pytest.approx(0.221, abs=0.0005)
    assert sum(a != b for a, b in zip(ours, theirs, strict=True)) <= 1  # of two letters equally likely, either


@pytest.mark.parametrize("choices", [*VARIANTS, *MORE_VARIANTS], ids=variant_name)
def test_what_the_library_writes_is_read(choices: dict[str, Any], tmp_path: Path) -> None:
    model = small_model(**choices).float()
    export(model, VOCABULARIES, tmp_path / "out")
    back = read(tmp_path / "out")
    assert back.model.config.tie_embeddings == model.config.tie_embeddings
    assert back.vocabularies.src.to_json() == VOCABULARIES.src.to_json()
    check_same(tmp_path / "out", within=1e-5)


@pytest.mark.parametrize("quantization", ["int8", "int16", "float16", "bfloat16"])
def test_smaller_weights_become_float32(quantization: str, tmp_path: Path) -> None:
    choices = dict(tie_embeddings="three-way", trg_vocab_size=SRC_VOCAB)
    export(float_model(**choices), VOCABULARIES, tmp_path / "out", quantization=quantization)
    back = read(tmp_path / "out").model
    assert back.fc_out.weight.dtype == torch.float32
    assert back.config.tie_embeddings == "three-way"
    # A bias is as large as 65504, where ids are never written: float16 keeps no digits of it.
    check_same(tmp_path / "out", within=1e-4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small model as the library writes it, without our tokenizers."""
    export(float_model(positions="sinusoidal", norm="pre"), VOCABULARIES, tmp_path / "out")
    for file in (tmp_path / "out").glob("tokenizer.*"):
        file.unlink()
    return tmp_path / "out"


def write(
    path: Path, tensors: Mapping[str, Tensor], version: int = 6, spec: str = "TransformerSpec", revision: int = 7
) -> None:
    """A model.bin of any version, as the library's documentation describes it; equal tensors become aliases."""

    def name(text: str) -> bytes:
        return struct.pack("<H", len(text.encode()) + 1) + text.encode() + b"\0"

    own: dict[int, str] = {}
    aliases = {key: own[id(t)] for key, t in tensors.items() if own.setdefault(id(t), key) != key and version >= 3}
    parts = [struct.pack("<I", version), name(spec), struct.pack("<II", revision, len(tensors) - len(aliases))]
    for key, tensor in tensors.items():
        if key not in aliases:
            size = tensor.numel() * tensor.element_size()
            kind = struct.pack("<BI", DTYPES.index(tensor.dtype), size)
            if version < 4:
                kind = struct.pack("<BI", tensor.element_size(), tensor.numel())
            shape = struct.pack(f"<B{tensor.dim()}I", tensor.dim(), *tensor.shape)
            data = bytes(tensor.contiguous().flatten().view(torch.uint8).tolist())
            parts += [name(key), shape, kind, data]
    if version >= 3:
        parts += [struct.pack("<I", len(aliases)), *(name(a) + name(b) for a, b in aliases.items())]
    path.write_bytes(b"".join(parts))


@pytest.mark.parametrize("version", [2, 3, 4, 5, 6])
def test_every_version_of_the_format_holds_the_same(version: int, folder: Path) -> None:
    before = read_binary(folder / "model.bin").tensors
    kinds = {"decoder/num_heads", "encoder/num_heads", "decoder/alignment_heads", "decoder/alignment_layer"}
    write(folder / "model.bin", before, version)
    after = read_binary(folder / "model.bin").tensors
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before if name not in kinds)
    if version < 6:  # then without config.json, and </s> is added to sources by a flag
        (folder / "config.json").unlink()
        write(folder / "model.bin", before | {"with_source_eos": torch.tensor(1, dtype=torch.int8)}, version)
    check_same(folder, within=1e-5)


def changed(folder: Path, **tensors: Any) -> None:
    """Put these in the place of a setting or tensor; None removes it. "__" stands for "/"."""
    old = read_binary(folder / "model.bin").tensors
    new = {name.replace("__", "/"): value for name, value in tensors.items()}
    kept = {name: tensor for name, tensor in old.items() if name not in new}
    write(folder / "model.bin", kept | {name: torch.as_tensor(v) for name, v in new.items() if v is not None})


def test_positions_that_the_file_leaves_out_are_the_librarys_waves(folder: Path) -> None:
    changed(folder, encoder__position_encodings__encodings=None, decoder__position_encodings__encodings=None)
    check_same(folder, within=1e-5)
    imported = read(folder)
    assert torch.equal(imported.model.encoder.positions.table.weight, waves(1024, 12))
    assert any("1024" in note for note in imported.notes)


@pytest.mark.parametrize("scales", [(2.5, 2.5), (3.0, 1.0), (12**0.5, 0.5), (12**0.5, 12**0.5)], ids=str)
def test_embeddings_may_be_scaled_by_any_number(scales: tuple[float, float], folder: Path) -> None:
    changed(folder, encoder__scale_embeddings=scales[0], decoder__scale_embeddings=scales[1])
    check_same(folder, within=1e-5)


def test_a_flag_scales_embeddings_by_the_root_of_their_size(folder: Path) -> None:
    on, off = torch.tensor(1, dtype=torch.int8), torch.tensor(0, dtype=torch.int8)
    changed(folder, encoder__scale_embeddings=on, decoder__scale_embeddings=on)
    assert read(folder).model.config.scale_embeddings
    check_same(folder, within=1e-5)
    changed(folder, encoder__scale_embeddings=off, decoder__scale_embeddings=off)
    check_same(folder, within=1e-5)


def test_layers_without_a_bias_get_zeros(folder: Path) -> None:
    changed(folder, encoder__layer_0__ffn__linear_0__bias=None, decoder__layer_1__attention__linear_1__bias=None)
    check_same(folder, within=1e-5)


def test_a_source_may_end_without_its_end_and_begin_with_a_start(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    for end in (False, True):
        for start in (False, True):
            edited = config | dict(add_source_eos=end, add_source_bos=start)
            (folder / "config.json").write_text(json.dumps(edited))
            imported = read(folder)
            sources, targets = [["a", "b", "c"], ["d"]], [["A"], ["B", "C"]]
            theirs = library_log_probs(folder, sources, targets)
            src, trg = imported.vocabularies
            ids = [src.encode("".join(source)) for source in sources]
            ours = our_log_probs(imported, ids, [trg.encode("".join(target)) for target in targets])
            for mine, expected in zip(ours, theirs, strict=True):
                assert torch.allclose(mine, torch.tensor(expected), rtol=0, atol=1e-5)


@pytest.mark.parametrize("choices", [dict(norm="post"), dict(norm="pre", tie_embeddings="two-way")], ids=str)
def test_norms_may_have_another_epsilon(choices: dict[str, Any], tmp_path: Path) -> None:
    export(small_model(**choices).float(), VOCABULARIES, tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    for epsilon in (1e-6, 0.1):
        (tmp_path / "out" / "config.json").write_text(json.dumps(config | dict(layer_norm_epsilon=epsilon)))
        check_same(tmp_path / "out", within=2e-5)
        assert read(tmp_path / "out").model.config.tie_embeddings == choices.get("tie_embeddings", "none")


def refused(folder: Path, match: str) -> None:
    with pytest.raises(UserError, match=match):
        read(folder)


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("encoder/layer_0/self_attention/relative_position_keys", torch.ones(3, 6), "stands for relative positions"),
        ("decoder/layer_0/self_attention/rotary_dim", torch.tensor(0, dtype=torch.int8), "stands for rotary positions"),
        ("decoder/alibi", torch.tensor(1, dtype=torch.int8), "stands for attention with linear biases"),
        ("decoder/layer_0/self_attention/num_heads_kv", torch.tensor(1, dtype=torch.int8), "keys and values shared"),
        ("encoder/layer_1/ffn/linear_0_noact/weight", torch.ones(24, 12), "stands for a gated feed-forward layer"),
        ("encoder/layernorm_embedding/gamma", torch.ones(12), "stands for a norm after the embeddings"),
        ("encoder/layer_0/ffn/layer_norm/beta", None, "is an RMSNorm"),
        ("encoder/activation", torch.tensor(1, dtype=torch.int8), "activation is 1 in the encoder and 0 in the"),
        ("decoder/pre_norm", torch.tensor(0, dtype=torch.int8), "pre_norm is 1 in the encoder and 0 in the decoder"),
        ("decoder/layer_1/attention/linear_2/weight", None, "no tensor 'decoder/layer_1/attention/linear_2/weight'"),
        ("decoder/projection/weight", torch.ones(11, 13), r"has the shape \[11, 13\], and the model needs \[11, 12\]"),
        ("decoder/something", torch.ones(2), "has the tensor 'decoder/something', for which this model has no place"),
        ("encoder/num_heads", torch.tensor(5, dtype=torch.int16), "heads=5 does not divide embed_size=12"),
        ("decoder/num_heads", torch.ones(2, dtype=torch.int16), "is no number"),
        ("encoder/embeddings_0/weight", torch.full((13, 12), float("nan")), "holds NaN or infinity"),
        ("encoder/embeddings_0/weight", torch.ones(13, 12, dtype=torch.int8), "no 'encoder/embeddings_0/weight_scale'"),
        ("encoder/embeddings_1/weight", torch.ones(13, 12), "several features of each source word"),
    ],
)  # fmt: skip
def test_what_our_model_lacks_is_refused_by_name(name: str, value: Any, match: str, folder: Path) -> None:
    changed(folder, **{name.replace("/", "__"): value})
    refused(folder, match)


def test_an_activation_that_is_not_ours_is_refused_by_name(folder: Path) -> None:
    kind = torch.tensor(1, dtype=torch.int8)
    changed(folder, encoder__activation=kind, decoder__activation=kind)
    refused(folder, "activation=1 is GELU by tanh, and our model has relu, silu, gelu")


@pytest.mark.parametrize(
    ("setting", "match"),
    [
        (dict(decoder_start_token=None), "decoder_start_token is null"),
        (dict(decoder_start_token="</s>"), "decoder_start_token='</s>' is the end as well"),
        (dict(layer_norm_epsilon=0), "layer_norm_epsilon=0.0 must be above 0"),
        (dict(add_source_eos="perhaps"), "add_source_eos='perhaps' does not fit"),
        (dict(eos_token="[END]"), r"no end token '\[END\]'"),
    ],
)
def test_settings_that_our_translations_do_not_have_are_refused(setting: Any, match: str, folder: Path) -> None:
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | setting))
    refused(folder, match)


def test_other_files_and_other_models_are_refused(folder: Path) -> None:
    path = folder / "model.bin"
    tensors = read_binary(path).tensors
    for version, spec, match in (
        (1, "TransformerSpec", "has version 1 of the format; 2 to 6 are read"),
        (7, "TransformerSpec", "has version 7"),
        (6, "WhisperSpec", "is a 'WhisperSpec'. Only the encoder-decoder Transformer for text is read"),
        (6, "TransformerDecoderSpec", "is a 'TransformerDecoderSpec'"),
    ):
        write(path, tensors, version, spec)
        refused(folder, match)
    write(path, tensors)
    path.write_bytes(path.read_bytes()[:-100])
    refused(folder, "in the middle of what it announces")
    path.unlink()
    refused(folder, "cannot be read")


def test_vocabularies_must_be_there_and_fit(folder: Path) -> None:
    path = folder / "source_vocabulary.json"
    tokens = json.loads(path.read_text())
    path.write_text(json.dumps([*tokens, "more"]))
    refused(folder, "has 14 tokens and the model's table 13 rows")
    path.write_text(json.dumps([*tokens[:-1], 5]))
    refused(folder, "holds something else than texts")
    path.unlink()
    refused(folder, "no source_vocabulary.json or .txt")
    path.with_suffix(".txt").write_bytes("\r\n".join(tokens).encode() + b"\r\n")
    assert [read(folder).vocabularies.src.piece(number) for number in range(13)] == tokens


def test_a_tokenizer_of_other_tokens_is_refused(folder: Path, tmp_path: Path) -> None:
    VOCABULARIES._replace(src=VOCABULARIES.trg).save(folder)
    refused(folder, "has other tokens than")


def test_damaged_files_are_refused_or_read_whole(tmp_path: Path) -> None:
    export(float_model(num_layers=1), VOCABULARIES, tmp_path / "out")
    files = [*["model.bin"] * 5, "config.json", "source_vocabulary.json", "tokenizer.src.json"]
    found = outcomes(lambda: read(tmp_path / "out"), tmp_path / "out", files)
    assert found == {"refused", "read"}  # a flipped bit in a weight cannot be seen
