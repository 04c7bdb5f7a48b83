"""Proof on real output: a trained nn.Transformer that somebody else published writes the same words here.

The package (Tajik to Persian script, post-norm) has no licence: it is installed for the test, nothing of it is kept.
"""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from glassformer.checkpoint import load
from glassformer.decode import DecodingConfig, Translator
from tests.cli.conftest import Cli

pytestmark = pytest.mark.peers

SENTENCES = """То ғами фардо нахӯрем!
Китоб беҳтарин дӯсти инсон аст.
Бани одам аъзои якдигаранд.
Забони модарӣ ҷони миллат аст."""
WORDS = """китоб мактаб хона дарахт об нон модар падар бародар хоҳар дӯст забон шаҳр кӯҳ дарё осмон замин офтоб моҳ
ситора шаб рӯз субҳ шом сол ҳафта баҳор тобистон тирамоҳ зимистон барф борон бод абр гул боғ себ ангур анор шафтолу
зардолу тут нок тарбуз харбуза гандум ҷав биринҷ гӯшт шир равған намак чой асп гов гӯсфанд буз саг гурба мурғ хурӯс
гург рӯбоҳ шер паланг хирс мор моҳӣ парранда кабӯтар гунҷишк даст пой сар чашм гӯш бинӣ даҳон дандон дил ҷигар хун
сурх сафед сиёҳ зард кабуд сабз калон хурд нав кӯҳна гарм сард шурӯъ маънӣ эътимод таърих донишгоҳ муҳаббат озодӣ"""

THEIRS = """
import importlib, json, sys
convert = importlib.import_module("tg2fa_translit.convert")
pairs, decode = [], convert.decode
def recorded(model, text):
    pairs.append((text, decode(model, text)))
    return pairs[-1][1]
convert.decode = recorded
answers = [convert.convert(text) for text in json.load(sys.stdin)]
json.dump({"pairs": pairs, "answers": answers}, sys.stdout)
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package in a folder of its own."""
    folder = tmp_path_factory.mktemp("tg2fa")
    words = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), "tg2fa_translit==1.0"]
    try:
        subprocess.run([sys.executable, *words], check=True, capture_output=True, timeout=120)
    except (subprocess.SubprocessError, OSError):
        pytest.skip("tg2fa_translit 1.0 cannot be installed here: no package index within reach")
    return folder / "tg2fa_translit"


def lists_in(program: Path) -> dict[str, list[str]]:
    """The lists of tokens in its source, read and not run; both begin with the special symbols."""
    found: dict[str, list[str]] = {}
    for node in ast.parse(program.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            if isinstance(value, ast.List):
                found[node.targets[0].id] = ast.literal_eval(value)
            elif isinstance(value, ast.BinOp) and isinstance(value.right, ast.List):
                found[node.targets[0].id] = found["special_symbols"] + ast.literal_eval(value.right)
    return found


def test_a_published_models_text_is_its_own(package: Path, cli: Cli, tmp_path: Path) -> None:
    lists = lists_in(package / "decode.py")
    for side, name in (("src", "tg_keys"), ("trg", "fa_values")):
        (tmp_path / side).write_text("\n".join(lists[name]) + "\n", encoding="utf-8")
    answer = cli(
        "convert", str(package / "model_2.9.zip"), str(tmp_path / "tg2fa"), "--norm", "post", "--activation", "relu",
        "--heads", "8", "--scale-embeddings", "--src-vocab", str(tmp_path / "src"),
        "--trg-vocab", str(tmp_path / "trg"), "--src-start", "2",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    loaded = load(tmp_path / "tg2fa")
    assert sum(parameter.numel() for parameter in loaded.model.parameters()) == 210_413
    assert loaded.model.config.positions == "sinusoidal"

    environment = os.environ | {"PYTHONPATH": str(package.parent)}
    texts = [*SENTENCES.splitlines(), *WORDS.split()]
    ran = subprocess.run(
        [sys.executable, "-c", THEIRS], input=json.dumps(texts), capture_output=True, text=True, env=environment
    )
    assert ran.returncode == 0, ran.stderr
    theirs = json.loads(ran.stdout)
    assert theirs["answers"][0] == "تا غم فردا نخوریم!", "its own documentation says so"
    sources = [source for source, _ in theirs["pairs"]]
    assert len(sources) >= 100 + len(SENTENCES.splitlines())
    translator = Translator(loaded.model, loaded.vocabularies, DecodingConfig.from_dict(loaded.config.decoding))
    assert translator.translate(sources) == [answer for _, answer in theirs["pairs"]]
