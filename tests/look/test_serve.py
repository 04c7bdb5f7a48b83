"""The served page answers its own questions and nobody else's, and its numbers are those of `watch`."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
import torch

pytest.importorskip("uvicorn", reason="needs the extra web: pip install 'glassformer[web]'")
pytest.importorskip("fastapi", reason="needs the extra web: pip install 'glassformer[web]'")

from glassformer.checkpoint import Loaded
from glassformer.decode import DecodingConfig, beam_search, greedy
from glassformer.errors import UserError
from glassformer.look.edits import uniform, zero_head
from glassformer.look.server.serve import listening, serve, served_page
from glassformer.look.server.web import MOST_BYTES
from glassformer.look.watch import watch
from tests.look.serving import Answer, Client, serving, small_loaded

HTML = "<!doctype html><title>a page</title>"
SRC, TRG = [4, 5, 6, 2, 0], [1, 7, 8]
NAME = "decoder.layers.1.cross_attention.attention"


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    torch.manual_seed(0)
    return small_loaded(decoder_heads=3)


@pytest.fixture(scope="module")
def client(loaded: Loaded) -> Iterator[Client]:
    with serving({"main": loaded}, HTML) as running:
        yield running


def seen_by(loaded: Loaded, src: list[int], trg: list[int], **choices: Any) -> dict[str, torch.Tensor]:
    with torch.no_grad(), watch(loaded.model, **choices) as seen:
        loaded.model(torch.tensor([src]), torch.tensor([trg]))
    return {name: tap.value for name, tap in seen.items()}


def assert_same(answer: Answer, expected: dict[str, torch.Tensor]) -> None:
    assert answer.status == 200, answer.body
    assert list(answer.taps) == list(expected)
    for name, value in expected.items():
        if value.is_floating_point():  # float64's lowest number, which hides an energy, becomes float32's
            value = value.clamp(min=torch.finfo(torch.float32).min).float()
        assert torch.equal(answer.taps[name], value), name


def test_the_page_comes_with_the_headers_that_keep_it_to_itself(client: Client) -> None:
    answer = client.request("GET", "/")
    assert (answer.status, answer.body.decode()) == (200, HTML)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "server" not in answer.headers


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_this_machine_may_be_called_by_each_of_its_names(client: Client, name: str) -> None:
    host = f"{name}:{client.port}"
    assert client.request("GET", "/", headers={"Host": host}).status == 200
    assert client.post("/pass", {"src": SRC, "trg": TRG}, Host=host, Origin=f"http://{host}").status == 200


def test_a_pass_has_every_value_of_a_watched_model(client: Client, loaded: Loaded) -> None:
    answer = client.post("/pass", {"src": SRC, "trg": TRG})
    assert_same(answer, seen_by(loaded, SRC, TRG))
    assert (answer.header["src"], answer.header["trg"]) == (SRC, TRG)


def test_texts_are_encoded_and_the_own_answer_is_read_where_there_is_no_target(client: Client, loaded: Loaded) -> None:
    src, trg = loaded.vocabularies
    given = client.post("/pass", {"src": " a  b ", "trg": "c d"}).header
    assert given["src"] == [*src.encode("a b"), src.end_id]
    assert given["trg"] == [trg.start_id, *trg.encode("c d")]
    alone = client.post("/pass", {"src": SRC}).header["trg"]
    config = DecodingConfig(max_ratio=0, max_extra=100, forbidden_ids=(3,))
    (best,) = greedy(loaded.model, torch.tensor([SRC]), trg.start_id, trg.end_id, config)
    assert alone == [trg.start_id, *best.ids]


@pytest.mark.parametrize("tying", ["none", "three-way"])
def test_weights_come_under_all_their_names_and_tied_ones_once(tying: str) -> None:
    loaded = small_loaded(tie_embeddings=tying)
    with serving({"main": loaded}, HTML) as client:
        answer = client.post("/weights", {})
    named = dict(loaded.model.named_parameters(remove_duplicate=False))
    assert [name for name, _, _ in answer.header["tensors"]] == list(named)
    for name, shape, place in answer.header["tensors"]:
        numbers = answer.numbers[place : place + named[name].numel()]
        assert torch.equal(numbers.view(shape), named[name].detach().float()), name
    assert len(answer.numbers) == sum(weight.numel() for weight in loaded.model.parameters())


def test_edits_and_swaps_are_those_of_watch(client: Client, loaded: Loaded) -> None:
    edits = [{"name": NAME, "kind": "uniform"}, {"name": NAME, "kind": "zero", "head": 2}]
    answer = client.post("/pass", {"src": SRC, "trg": TRG, "edits": edits})
    chain = lambda value: zero_head(2, axis=1)(uniform(value))  # noqa: E731
    assert_same(answer, seen_by(loaded, SRC, TRG, edit={NAME: chain}))

    other = [9, 4, 4, 2, 0]
    swap = {"name": "encoder.memory", "kind": "swap"}
    swapped = client.post("/pass", {"src": SRC, "trg": TRG, "edits": [swap], "other": other})
    memory = seen_by(loaded, other, TRG)["encoder.memory"]
    assert_same(swapped, seen_by(loaded, SRC, TRG, edit={"encoder.memory": lambda value: memory}))


def test_a_cell_of_a_mask_opens_what_was_shut_and_shuts_what_was_open(client: Client, loaded: Loaded) -> None:
    masks = {"encoder": ["0.1"], "decoder": ["0.2"], "cross": ["1.4", "9.9"]}
    answer = client.post("/pass", {"src": SRC, "trg": TRG, "masks": masks})
    taps, plain = answer.taps, seen_by(loaded, SRC, TRG)
    for name, value in plain.items():
        if not name.endswith(".attention"):
            continue
        open_before, open_now = value[0].amax(0) > 0, taps[name][0].amax(0) > 0
        kind = "encoder" if name.startswith("encoder") else "cross" if "cross" in name else "decoder"
        cell = {"encoder": [[0, 1]], "decoder": [[0, 2]], "cross": [[1, 4]]}[kind]
        assert (open_before != open_now).nonzero().tolist() == cell, name
    assert torch.equal(taps["src_mask"], plain["src_mask"])
    assert client.post("/pass", {"src": SRC, "trg": TRG}).taps["logits"].equal(plain["logits"].float())


@pytest.mark.parametrize("changed", [False, True], ids=["cached", "whole passes"])
def test_greedy_steps_are_those_of_python(client: Client, loaded: Loaded, changed: bool) -> None:
    """A change that changes nothing takes the other way through the model, to the same answer."""
    masks = {"cross": ["9.9"]} if changed else {}
    answer = client.post("/write", {"src": SRC, "limit": 12, "masks": masks})
    config = DecodingConfig(max_ratio=0, max_extra=12, forbidden_ids=(3,))
    (best,) = greedy(loaded.model, torch.tensor([SRC]), 1, 2, config)
    steps = answer.header["steps"]
    assert [step["token"] for step in steps][: len(best.ids)] == best.ids
    assert [step["logProb"] for step in steps] == pytest.approx(best.token_log_probs)
    log_probs = answer.numbers.view(len(steps), answer.header["size"])
    assert log_probs.exp().sum(1).tolist() == pytest.approx([1] * len(steps))
    assert log_probs[:, [0, 1, 3]].eq(-torch.inf).all()  # padding, <s> and the model's own forbidden id


@pytest.mark.parametrize("changed", [False, True], ids=["cached", "whole passes"])
@pytest.mark.parametrize("beam", [1, 3])
def test_the_best_finished_answer_of_a_beam_is_that_of_python(
    client: Client, loaded: Loaded, beam: int, changed: bool
) -> None:
    masks = {"cross": ["9.9"]} if changed else {}
    asked = {"src": SRC, "limit": 9, "choose": "beam", "beam": beam, "alpha": 0.9, "masks": masks}
    tree = client.post("/write", asked).header
    config = DecodingConfig(beam=beam, length_penalty=0.9, max_ratio=0, max_extra=9, forbidden_ids=(3,))
    ((best, *_),) = beam_search(loaded.model, torch.tensor([SRC]), 1, 2, config)
    first = tree["finished"][0]
    assert (first["ids"], first["score"]) == (best.ids, pytest.approx(best.score))
    for node in tree["nodes"]:
        parent = tree["nodes"][node["parent"]] if node["parent"] >= 0 else {"sum": 0.0, "step": 0, "state": "live"}
        assert node["sum"] == pytest.approx(parent["sum"] + node["logProb"])
        assert (node["step"], parent["state"]) == (parent["step"] + 1, "live")


def test_an_answer_begins_as_it_is_forced_to_and_noise_draws_the_rest(client: Client, loaded: Loaded) -> None:
    asked = {"src": SRC, "limit": 5, "prefix": [6, 6], "forced_end": False}
    forced = client.post("/write", asked).header["steps"]
    assert [(step["token"], step["forced"]) for step in forced[:3]] == [
        (6, True),
        (6, True),
        (forced[2]["token"], False),
    ]
    tree = client.post("/write", asked | {"choose": "beam", "beam": 2}).header
    assert all(each["ids"][:2] == [6, 6] for each in tree["finished"])
    drawn = [
        client.post("/write", {"src": SRC, "limit": 1, "forced_end": False, "choose": "sample", "noise": [place / 50]})
        for place in range(50)
    ]
    shares = drawn[0].numbers.exp()
    tokens = torch.tensor([answer.header["steps"][0]["token"] for answer in drawn])
    assert tokens.eq(
        tokens.sort().values
    ).all()  # more noise, a later token: each has the part of [0, 1) that it is worth
    assert (tokens.bincount(minlength=11) / 50 - shares).abs().max() <= 0.04
    coldest = {"choose": "sample", "noise": [0.9] * 5, "top_k": 1}
    greedy_tokens = [step["token"] for step in client.post("/write", {"src": SRC, "limit": 5}).header["steps"]]
    assert [
        step["token"] for step in client.post("/write", {"src": SRC, "limit": 5} | coldest).header["steps"]
    ] == greedy_tokens


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}", ""]
)
def test_another_name_that_points_here_is_refused(client: Client, host: str) -> None:
    headers = {"Host": host.format(port=client.port)}
    for answer in (client.request("GET", "/", headers=headers), client.post("/pass", {"src": SRC}, **headers)):
        assert answer.status == 403
        assert "this machine" in answer.error
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "", "https://127.0.0.1:{port}", "http://127.0.0.1:1", "http://localhost:{port}"],
)
def test_another_sites_script_is_refused(client: Client, origin: str) -> None:
    answer = client.post("/pass", {"src": SRC}, Origin=origin.format(port=client.port))
    assert (answer.status, "Origin" in answer.error) == (403, True)


def test_a_form_of_another_site_is_refused_for_its_type(client: Client) -> None:
    assert client.post("/pass", {"src": SRC}, Content_Type="text/plain").status == 415


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/pages", 404),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
        ("GET", "/../pyproject.toml", 404),
        ("GET", "/pass", 405),
        ("PUT", "/", 405),
        ("DELETE", "/pass", 405),
        ("OPTIONS", "/pass", 405),
    ],
)
def test_nothing_else_is_served(client: Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert (answer.status, answer.error) == (status, "here are GET /, and POST /pass, /write and /weights.")


def test_a_body_is_read_up_to_its_limit(client: Client) -> None:
    fits = json.dumps({"src": SRC, "trg": TRG}).encode()
    assert client.post("/pass", fits.ljust(MOST_BYTES)).status == 200
    for size in (MOST_BYTES + 1, 3 * MOST_BYTES):
        answer = client.post("/pass", fits.ljust(size))
        assert (answer.status, str(MOST_BYTES) in answer.error) == (413, True)


@pytest.mark.parametrize(
    ("question", "status", "says"),
    [
        pytest.param(b"", 400, "not JSON", id="nothing"),
        pytest.param(b"{'src'", 400, "not JSON", id="no JSON"),
        pytest.param(b"\xff\xfe", 400, "not JSON", id="no UTF-8"),
        pytest.param(b"[" * 100_000, 400, "not JSON", id="very deep"),
        pytest.param([], 422, "the body", id="a list"),
        pytest.param({}, 422, "src: Field required", id="no source"),
        pytest.param({"src": 7}, 422, "src:", id="a number"),
        pytest.param({"src": [4, "secret"]}, 422, "src: Input should be a valid integer", id="a word among ids"),
        pytest.param({"src": [4, -1]}, 422, "src:", id="a negative id"),
        pytest.param({"src": [4, 11]}, 422, "largest id of the vocabulary is 10", id="an id too large"),
        pytest.param({"src": [4, 10**30]}, 422, "src:", id="an id far too large"),
        pytest.param({"src": [0, 0, 2]}, 422, "no word", id="padding alone"),
        pytest.param({"src": "  "}, 422, "no word", id="spaces"),
        pytest.param({"src": "a " * 40}, 422, "more than 16 tokens", id="too long a text"),
        pytest.param({"src": [4] * 17}, 422, "more than 16 tokens", id="too many ids"),
        pytest.param({"src": SRC, "trg": []}, 422, "at least <s>", id="no target"),
        pytest.param({"src": SRC, "trg": [1] * 17}, 422, "more than 16 tokens", id="too long a target"),
        pytest.param({"src": SRC, "secret": 1}, 422, "the body: Extra inputs", id="an unknown key"),
        pytest.param({"src": SRC, "model": "secret"}, 404, "no model", id="an unknown model"),
        pytest.param({"src": SRC, "edits": [{"name": "secret", "kind": "zero"}]}, 422, "no value", id="unknown value"),
        pytest.param({"src": SRC, "edits": [{"name": "*", "kind": "zero"}]}, 422, "no value", id="a pattern"),
        pytest.param({"src": SRC, "edits": [{"name": NAME, "kind": "secret"}]}, 422, "edits:", id="an unknown edit"),
        pytest.param({"src": SRC, "edits": [{"name": NAME, "kind": "zero", "head": 9}]}, 422, "not fit", id="head"),
        pytest.param({"src": SRC, "edits": [{"name": NAME, "kind": "swap"}]}, 422, "other:", id="a swap with nothing"),
        pytest.param(
            {"src": SRC, "edits": [{"name": NAME, "kind": "swap"}], "other": [4, 2]}, 422, "not fit", id="a shape"
        ),
        pytest.param({"src": SRC, "masks": {"encoder": ["secret"]}}, 422, "masks:", id="no cell"),
        pytest.param({"src": SRC, "masks": {"secret": []}}, 422, "masks:", id="an unknown mask"),
        pytest.param(b'{"src": "\\ud800"}', 400, "not JSON", id="half a surrogate pair"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_a_reason_that_repeats_nothing(
    client: Client, question: Any, status: int, says: str
) -> None:
    answer = client.post("/pass", question)
    assert (answer.status, says in answer.error) == (status, True), answer.body
    assert b"secret" not in answer.body
    assert b"Traceback" not in answer.body


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"limit": 0}, "limit:"),
        ({"beam": 17}, "beam:"),
        ({"alpha": -1}, "alpha:"),
        ({"temperature": 0}, "temperature:"),
        ({"choose": "sample"}, "noise:"),
        ({"choose": "sample", "noise": [2.0] * 9}, "noise:"),
        ({"prefix": [2]}, "prefix:"),
        ({"prefix": [3]}, "prefix:"),
        ({"prefix": [4] * 10}, "prefix:"),
    ],
)
def test_an_answer_is_asked_for_within_limits(client: Client, changes: dict[str, Any], says: str) -> None:
    answer = client.post("/write", {"src": SRC, "limit": 9} | changes)
    assert (answer.status, answer.error.startswith(says)) == (422, True), answer.body


def test_many_questions_at_once_get_their_own_answers(client: Client, loaded: Loaded) -> None:
    sources = [[4 + number % 7, 5, 2] for number in range(21)]
    with ThreadPoolExecutor(7) as pool:
        answers = list(pool.map(lambda src: client.post("/pass", {"src": src, "trg": TRG}), sources))
    for src, answer in zip(sources, answers, strict=True):
        assert torch.equal(answer.taps["logits"], seen_by(loaded, src, TRG, only="logits")["logits"].float())


def test_a_port_in_use_and_a_missing_extra_are_said_in_words(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(0) as taken, pytest.raises(UserError, match=r"cannot be used here .* Try another --port"):
        listening(taken.getsockname()[1])
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(UserError, match=r"pip install 'glassformer\[web\]'"):
        serve(loaded)


def test_the_server_listens_to_this_machine_alone() -> None:
    with listening(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_the_served_page_may_ask_its_server_and_carries_no_weights_of_its_model(loaded: Loaded) -> None:
    html = served_page(loaded, "a b c")
    assert "connect-src 'self'" in html
    payload = json.loads(html.partition('id="payload">')[2].partition("</script>")[0])
    assert (payload["server"], payload["live"], payload["recording"], payload["reference"]) == (True, False, None, None)
    assert payload["models"][0]["blob"] is None
    carried = set(re.findall(r'octet-stream" id="(weights-\d+)"', html))
    assert carried == {entry["blob"] for entry in payload["models"][1:]}


SERVER = """
from glassformer.look.server import serve
from tests.look.serving import small_loaded
serve.served_page = lambda *_: "a page"
serve.serve(small_loaded(), port=0, announce=lambda address: print(address, flush=True))
print("ended")
"""


def test_ctrl_c_ends_it_without_a_traceback() -> None:
    root = Path(__file__).parents[2]
    server = subprocess.Popen([sys.executable, "-c", SERVER], cwd=root, stdout=PIPE, stderr=PIPE, text=True)
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    client = Client(int(address.rstrip("/").rpartition(":")[2]))
    assert address == f"http://{client.host}/"
    assert client.request("GET", "/").body == b"a page"
    server.send_signal(signal.SIGINT)
    said, complained = server.communicate(timeout=60)
    assert (server.returncode, said, complained) == (0, "ended\n", "")
