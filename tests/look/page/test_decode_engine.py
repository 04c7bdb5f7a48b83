"""The page's decoding against Python's: greedy, beam search, sampling; the cache against whole passes."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
import torch

from glassformer.decode import DecodingConfig, Hypothesis, beam_search
from glassformer.decode.steps import length_limits
from glassformer.look.pack import rounded
from glassformer.model.transformer import Transformer
from tests.decode.peaked import END, START, log_probs_after, peaked_model, sources
from tests.look.page.engine_host import Engine
from tests.small import VARIANTS, variant_name

SENTENCES = 4
WHOLE = "maskOf: (trg) => ({ decoder: triangle(trg.length) })"  # the usual mask, drawn by hand
HELPERS = """async () => {
  const [decode, { Tensor }, { Random }] = await Promise.all([
    import("glass/engine/decode.js"), import("glass/engine/tensor.js"), import("glass/engine/random.js"),
  ]);
  Object.assign(window, decode, { Random });
  window.triangle = (t) => Tensor.zeros([1, 1, t, t], Uint8Array).map((_, i) => Number(i % t <= Math.floor(i / t)));
}"""


@pytest.fixture(scope="module")
def engine(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(browser, tmp_path_factory.mktemp("engine"))
    engine.page.evaluate(HELPERS)
    yield engine
    engine.page.close()


def searched(
    engine: Engine, src: list[int], config: DecodingConfig, more: str = "", prefix: list[int] | None = None
) -> dict[str, Any]:
    """The page's beam search: {nodes, finished}."""
    options = asdict(config) | {
        "alpha": config.length_penalty,
        "start": START,
        "end": END,
        "forbidden": list(config.forbidden_ids),
        "forcedEnd": config.forced_end,
        "prefix": prefix or [],
    }
    found: dict[str, Any] = engine.call(
        f"""([src, options]) => {{
          const limit = limitFor(opened.config, options, src.length);
          return beamSearch(opened, src, {{ ...options, limit, {more} }});
        }}""",
        src,
        options,
    )
    return found


def same(found: dict[str, Any], expected: list[Hypothesis]) -> None:
    """The best answers of the page are Python's, with the same scores."""
    best = found["finished"][: len(expected)]
    assert [each["ids"] for each in best] == [each.ids for each in expected]
    for mine, theirs in zip(best, expected, strict=True):
        assert mine["sum"] == pytest.approx(theirs.log_prob, abs=1e-9)
        assert mine["score"] == pytest.approx(theirs.score, abs=1e-9)


def in_python(model: Transformer, src: list[int], config: DecodingConfig) -> list[Hypothesis]:
    return beam_search(model, torch.tensor([src]), START, END, config)[0]


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("beam", [1, 2, 3, 4])
@pytest.mark.parametrize("forced_end", [True, False])
def test_beam_search_finds_what_python_finds(engine: Engine, beam: int, alpha: float, forced_end: bool) -> None:
    torch.manual_seed(beam)
    model = rounded(peaked_model())
    engine.open(model)
    config = DecodingConfig(
        beam=beam, n_best=max(1, beam - 1), length_penalty=alpha, forced_end=forced_end, max_extra=3, forbidden_ids=(5,)
    )
    for src in sources(SENTENCES):
        same(searched(engine, src, config), in_python(model, src, config))


@pytest.mark.parametrize("choices", VARIANTS, ids=variant_name)
def test_the_cache_and_whole_passes_give_the_same_answers(engine: Engine, choices: dict[str, Any]) -> None:
    torch.manual_seed(1)
    model = rounded(peaked_model(**choices))
    engine.open(model)
    config = DecodingConfig(beam=3)
    for src in sources(3):
        cached, whole = searched(engine, src, config), searched(engine, src, config, WHOLE)
        assert [node["token"] for node in cached["nodes"]] == [node["token"] for node in whole["nodes"]]
        for one, other in zip(cached["nodes"], whole["nodes"], strict=True):
            assert one["sum"] == pytest.approx(other["sum"], abs=1e-10)


def test_the_nodes_are_a_tree_whose_paths_are_the_answers(engine: Engine) -> None:
    torch.manual_seed(2)
    engine.open(rounded(peaked_model()))
    for src in sources(4):
        found = searched(engine, src, DecodingConfig(beam=3))
        nodes = found["nodes"]
        parents = {node["parent"] for node in nodes}
        for number, node in enumerate(nodes):
            assert node["index"] == number
            parent = nodes[node["parent"]] if node["parent"] >= 0 else {"step": 0, "sum": 0.0, "state": "live"}
            assert parent["state"] == "live"
            assert node["step"] == parent["step"] + 1
            assert node["sum"] == pytest.approx(parent["sum"] + node["logProb"], abs=1e-12)
            assert (node["state"] == "live") == (number in parents)
        for answer in found["finished"]:
            path, at = [], answer["node"]
            while at >= 0:
                path.insert(0, nodes[at]["token"])
                at = nodes[at]["parent"]
            assert path == [*answer["ids"], END]
            assert nodes[answer["node"]]["state"] == "finished"


def test_a_forced_beginning_stays_and_the_search_goes_on_from_it(engine: Engine) -> None:
    torch.manual_seed(3)
    model = rounded(peaked_model())
    engine.open(model)
    (src,) = sources(1)
    found = searched(engine, src, DecodingConfig(beam=2), prefix=[7, 4])
    assert [node["token"] for node in found["nodes"][:2]] == [7, 4]
    config = DecodingConfig()
    for answer in found["finished"]:
        assert answer["ids"][:2] == [7, 4]
        steps = [*answer["ids"], END]
        log_probs = [log_probs_after(model, src, steps[:i], config)[token] for i, token in enumerate(steps)]
        assert answer["sum"] == pytest.approx(float(sum(log_probs)), abs=1e-9)


def written(engine: Engine, src: list[int], options: str) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = engine.call(
        f"""([src, start, end]) => [...write(opened, src, {{ start, end, limit: 12, {options} }})].map(
          (step) => ({{ ...step, logProbs: Array.from(step.logProbs, (each) => Math.max(each, -1e300)) }}))""",
        src,
        START,
        END,
    )
    return steps


@pytest.mark.parametrize("more", ["", WHOLE])
def test_greedy_writes_what_python_writes(engine: Engine, more: str) -> None:
    torch.manual_seed(4)
    model = rounded(peaked_model())
    engine.open(model)
    for src in sources(SENTENCES):
        (expected,) = in_python(model, src, DecodingConfig(max_ratio=0, max_extra=12))
        steps = written(engine, src, f'choose: "greedy", {more}')
        tokens = [step["token"] for step in steps]
        assert [token for token in tokens if token != END] == expected.ids
        assert [step["logProb"] for step in steps] == pytest.approx(expected.token_log_probs, abs=1e-9)
        for length, step in enumerate(steps):
            all_of_them = log_probs_after(model, src, tokens[:length], DecodingConfig())
            assert step["logProbs"] == pytest.approx(all_of_them.clamp(min=-1e300).tolist(), abs=1e-9)
            assert step["probability"] == pytest.approx(float(all_of_them[step["token"]].exp()), abs=1e-9)


def test_a_forced_beginning_is_written_first(engine: Engine) -> None:
    torch.manual_seed(5)
    engine.open(rounded(peaked_model()))
    (src,) = sources(1)
    steps = written(engine, src, 'choose: "greedy", prefix: [9, 9, 3]')
    assert [step["token"] for step in steps[:3]] == [9, 9, 3]
    assert [step["forced"] for step in steps[:4]] == [True, True, True, False]


def test_a_seed_draws_the_same_answer_again_and_top_1_is_greedy(engine: Engine) -> None:
    torch.manual_seed(6)
    engine.open(rounded(peaked_model()))
    (src,) = sources(1)
    draw: Any = lambda options: [step["token"] for step in written(engine, src, options)]  # noqa: E731
    sample = 'choose: "sample", temperature: 2, random: new Random(%d)'
    drawn = [draw(sample % seed) for seed in range(6)]
    assert [draw(sample % seed) for seed in range(6)] == drawn
    assert len(set(map(tuple, drawn))) > 1
    assert draw(sample % 1 + ", topK: 1") == draw('choose: "greedy"')


def test_tokens_are_drawn_as_often_as_their_shares_say(engine: Engine) -> None:
    torch.manual_seed(7)
    model = rounded(peaked_model())
    engine.open(model)
    (src,) = sources(1)
    counts = engine.call(
        """([src, start, end]) => {
          const [random, counts] = [new Random(3), Array(11).fill(0)];
          const options = { start, end, limit: 2, choose: "sample", temperature: 3, topK: 4, random };
          for (let i = 0; i < 1500; i++) counts[write(opened, src, options).next().value.token]++;
          return counts;
        }""",
        src,
        START,
        END,
    )
    log_probs = log_probs_after(model, src, [], DecodingConfig())
    top = log_probs.topk(4)
    shares = torch.zeros(11).double().index_put((top.indices,), (top.values / 3).softmax(0))
    assert torch.tensor(counts).double().div(1500).tolist() == pytest.approx(shares.tolist(), abs=0.05)


@pytest.mark.parametrize("ties", [[], [0, 0, 0, 0], [3, 1, 3, 2, 3], [-1e308, 5, 5]])
def test_of_equal_values_the_first_counts_as_the_largest(engine: Engine, ties: list[float]) -> None:
    for k in (1, 2, 4):
        found = engine.call(
            "async ([values, k]) => (await import('glass/engine/steps.js')).largest(values, k)", ties, k
        )
        assert found == sorted(range(len(ties)), key=lambda index: (-ties[index], index))[:k]


def test_the_limit_of_length_is_pythons(engine: Engine) -> None:
    model = rounded(peaked_model())
    for ratio, extra, length in ((2.0, 10, 1), (2.0, 10, 7), (0.3, 0, 2), (1.5, 0, 5)):
        config = DecodingConfig(max_ratio=ratio, max_extra=extra)
        expected = int(length_limits(model, torch.ones(1, length, dtype=torch.int64), config))
        found = engine.call(
            "([config, decoding, length]) => limitFor(config, decoding, length)",
            asdict(model.config),
            asdict(config),
            length,
        )
        assert found == expected
