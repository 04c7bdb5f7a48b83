"""SentencePiece's files cut text here as they do there."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from glassformer.data import Vocabulary
from glassformer.decode import DecodingConfig, Translator
from glassformer.errors import UserError
from glassformer.exchange.marian import read
from glassformer.exchange.spm import read_spm, unigram_tokenizer
from tests.exchange.damage import outcomes

sentencepiece = pytest.importorskip("sentencepiece")

HOME = Path(__file__).parents[2]
ODD = [
    "ﬁne ①  ½ ™  x² ", "日本 語 日", "à̂ e\u0301 क्षि", "  a  b ", "tab\there\u3000wide\u00a0nb\u200bzw", "▁x", "", " ",
    "Ｆｕｌｌ ｗｉｄｔｈ", "'a…b'", "é è ñ n\u0303 ﷺ ㍿", "<x>", "\u0085x",
]  # fmt: skip


class Trained(NamedTuple):
    """Two models of SentencePiece, the folder they are in, and Marian's list of ids for both."""

    folder: Path
    source: Any
    target: Any
    ids: dict[str, int]
    texts: list[str]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder, models, texts = tmp_path_factory.mktemp("spm"), {}, []
    for side, name in (("source", "README.md"), ("target", "CONTRIBUTING.md")):
        # No "---": cut as "--", "-" or as "-", "--" it has the same score.
        lines = [line.strip() for line in (HOME / name).read_text("utf-8").splitlines() if line.strip()]
        lines = [line for line in lines if not re.search(r"(\S)\1\1|(\S\S)\2", line)]
        settings = dict(vocab_size=150, character_coverage=0.995, minloglevel=2, hard_vocab_limit=False, num_threads=1)
        prefix = str(folder / side)
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_prefix=prefix, **settings)
        Path(f"{prefix}.model").rename(f"{prefix}.spm")
        models[side] = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.spm")
        texts += lines
    ids = {"</s>": 0, "<unk>": 1}
    for model in models.values():
        for number in range(3, model.get_piece_size()):  # after <unk>, <s> and </s>
            ids.setdefault(model.id_to_piece(number), len(ids))
    ids["<pad>"] = len(ids)
    (folder / "vocab.json").write_text(json.dumps(ids), encoding="utf-8")
    return Trained(folder, models["source"], models["target"], ids, texts)


def vocabulary(trained: Trained, side: str) -> Vocabulary:
    specials = ["</s>", "<unk>", "<pad>"]
    tokenizer = unigram_tokenizer(read_spm(trained.folder / f"{side}.spm"), trained.ids, "<unk>", specials)
    return Vocabulary(tokenizer, pad="<pad>", start="<pad>", end="</s>", unknown="<unk>")


@pytest.mark.parametrize("side", ["source", "target"])
def test_texts_are_cut_into_the_same_pieces(side: str, trained: Trained) -> None:
    model, ours = getattr(trained, side), vocabulary(trained, side)
    for text in trained.texts + ODD:
        pieces = model.encode(text, out_type=str)
        assert ours.encode(text) == [trained.ids.get(piece, 1) for piece in pieces], text
        if all(piece in trained.ids for piece in pieces):
            assert ours.decode(ours.encode(text)) == model.decode(pieces).strip()


def test_every_character_is_normalized_alike(trained: Trained) -> None:
    ours, wrong = vocabulary(trained, "source"), []
    for number in [*range(1, 0xD800), *range(0xF900, 0xFFF0)]:
        text = f"a{chr(number)}b "
        pieces = trained.source.encode(text, out_type=str)
        if ours.encode(text) != [trained.ids.get(piece, 1) for piece in pieces]:
            wrong.append(text)
    assert wrong == []


def test_a_folder_translates_text_as_transformers_does(trained: Trained) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("sacremoses")
    end, pad, size = 0, trained.ids["<pad>"], len(trained.ids)
    config = transformers.MarianConfig(
        vocab_size=size, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=300,
        pad_token_id=pad, decoder_start_token_id=pad, eos_token_id=end, forced_eos_token_id=end, init_std=0.5,
    )  # fmt: skip
    theirs = transformers.MarianMTModel(config).eval()
    theirs.generation_config.bad_words_ids = [[pad]]
    theirs.generation_config.max_length = 20
    theirs.save_pretrained(trained.folder)
    files = [str(trained.folder / name) for name in ("source.spm", "target.spm", "vocab.json")]
    tokenizer = transformers.MarianTokenizer(*files)
    imported = read(trained.folder)
    translator = Translator(imported.model, imported.vocabularies, DecodingConfig.from_dict(imported.decoding))
    texts = [text for text in trained.texts if "<" not in text and len(text) < 80][::8]
    assert len(texts) > 5
    for text, answer in zip(texts, translator.translate(texts), strict=True):
        inputs = tokenizer(text, return_tensors="pt")
        assert imported.vocabularies.src.encode(text) == inputs["input_ids"][0, :-1].tolist()
        with torch.no_grad():
            (generated,) = theirs.generate(**inputs)
        assert tokenizer.decode(generated, skip_special_tokens=True) == answer


def test_the_name_of_a_language_before_a_text_is_one_token(trained: Trained) -> None:
    ids = trained.ids | {">>de<<": len(trained.ids)}
    tokenizer = unigram_tokenizer(read_spm(trained.folder / "source.spm"), ids, "<unk>", ["</s>", "<unk>", "<pad>"])
    ours = Vocabulary(tokenizer, pad="<pad>", start="<pad>", end="</s>", unknown="<unk>")
    assert ours.encode(">>de<< the model") == [ids[">>de<<"], *vocabulary(trained, "source").encode("the model")]


def test_a_tokenizer_can_be_kept_and_read_again(trained: Trained) -> None:
    ours = vocabulary(trained, "target")
    again = Vocabulary.from_json(ours.to_json())
    assert [again.encode(text) for text in trained.texts] == [ours.encode(text) for text in trained.texts]
    assert (again.pad_id, again.start_id, again.end_id, again.unknown_id) == (trained.ids["<pad>"],) * 2 + (0, 1)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        (dict(model_type="bpe"), "is no unigram model"),
        (dict(user_defined_symbols=["<x>"]), "has pieces of kind 4"),
        (dict(byte_fallback=True), "has pieces of kind 6"),
        (dict(treat_whitespace_as_suffix=True), "is no unigram model with ▁ before words"),
    ],
    ids=str,
)
def test_what_is_not_cut_alike_is_refused(settings: dict[str, Any], match: str, trained: Trained) -> None:
    prefix = str(trained.folder / "other")
    settings = dict(vocab_size=400, minloglevel=2, hard_vocab_limit=False) | settings
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(trained.texts), model_prefix=prefix, num_threads=1, **settings
    )
    with pytest.raises(UserError, match=match):
        read_spm(Path(f"{prefix}.model"))


def test_damaged_files_are_refused_or_read_whole(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "source.spm").write_bytes((trained.folder / "source.spm").read_bytes())

    def cut() -> list[int]:
        tokenizer = unigram_tokenizer(read_spm(tmp_path / "source.spm"), trained.ids, "<unk>", ["</s>"])
        ids: list[int] = tokenizer.encode("the model").ids
        return ids

    assert outcomes(cut, tmp_path, ["source.spm"]) == {"refused", "read"}  # a flipped bit in a score cannot be seen
