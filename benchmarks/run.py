"""Our speed beside other people's, in one run: python benchmarks/run.py   (make bench)

Rounds are interleaved, so that a machine whose speed drifts slows everybody alike; each figure is the median of the
rounds' ratios. Same sizes, same tensors, same dtype, same label smoothing, clipping and fused AdamW; parameter counts
are asserted. Each peer runs the way its own documentation says.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import torch
import torch.nn.functional as F
from peers import END, PAD, START, TorchTransformer, marian
from torch import Tensor, nn

from glassformer import Transformer, open_dataset
from glassformer.data import Batch, TokenBatches, Vocabularies, Vocabulary, encode_in_memory, padded_over_useful
from glassformer.decode import DecodingConfig, greedy
from glassformer.train import TrainingConfig, train_step
from glassformer.train.step import make_optimizer

VOCAB, EMBED, LAYERS, HEADS, FORWARD, DROPOUT = 8000, 256, 3, 8, 1024, 0.1
SENTENCES, WORDS = 128, 16

Timed = Callable[[], object]


def seconds(work: Timed) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved(works: dict[str, Timed], rounds: int) -> dict[str, list[float]]:
    """Seconds of each work in each round, after one round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for round_number in range(rounds + 1):
        for name, work in works.items():
            spent = seconds(work)
            if round_number:
                times[name].append(spent)
    return times


def report(title: str, times: dict[str, list[float]], tokens: int, peer: str) -> None:
    """Tokens a second of everybody, and how many times the peer's speed the first one has."""
    ours = next(iter(times))
    print(f"\n{title}")
    for name, spent in times.items():
        print(f"  {name:<34}{tokens / statistics.median(spent):>9,.0f} tokens/s")
    ratios = sorted(theirs / own for own, theirs in zip(times[ours], times[peer], strict=True))
    print(f"  {ours} / {peer}: {statistics.median(ratios):.2f} x   (rounds: {ratios[0]:.2f} to {ratios[-1]:.2f})")


def autocast(dtype: torch.dtype) -> AbstractContextManager[object]:
    return torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16)


def training(rounds: int, dtype: torch.dtype) -> None:
    """One training step of 128 pairs of 16 + 16 tokens: ours against torch.nn.Transformer in the same dtype."""
    src, trg = torch.randint(4, VOCAB, (SENTENCES, WORDS)), torch.randint(4, VOCAB, (SENTENCES, WORDS + 1))
    batch = Batch(src, trg, SENTENCES * WORDS)
    model = Transformer(
        VOCAB, VOCAB, PAD, PAD, EMBED, LAYERS, FORWARD / EMBED, HEADS, dropout=DROPOUT, max_length=100
    ).train()
    peer = TorchTransformer(VOCAB, EMBED, LAYERS, HEADS, FORWARD, DROPOUT).train()
    assert count(model) == count(peer), (count(model), count(peer))
    precision = "bfloat16" if dtype == torch.bfloat16 else "float32"
    config = TrainingConfig(max_steps=1, precision=precision, label_smoothing=0.1, clip_norm=1.0)
    optimizer, peer_optimizer = make_optimizer(model, config), torch.optim.AdamW(peer.parameters(), fused=True)

    def peer_step() -> None:
        peer_optimizer.zero_grad()
        with autocast(dtype):
            logits = peer(src, trg[:, :-1])
        F.cross_entropy(
            logits.flatten(0, 1).float(), trg[:, 1:].flatten(), ignore_index=PAD, label_smoothing=0.1
        ).backward()
        nn.utils.clip_grad_norm_(peer.parameters(), 1.0)
        peer_optimizer.step()

    works: dict[str, Timed] = {
        "glassformer": lambda: train_step(model, optimizer, [batch], config, rate=1e-4, pad_idx=PAD),
        "torch.nn.Transformer": peer_step,
    }
    title = (
        f"Training step, {precision}: {count(model):,} parameters each, {SENTENCES} pairs of {WORDS} + {WORDS} tokens"
    )
    report(title, interleaved(works, rounds), SENTENCES * WORDS, "torch.nn.Transformer")


def decoding(rounds: int, sentences: int) -> None:
    """Greedy decoding of exactly 16 tokens: ours against Hugging Face Marian's generate, both with their caches."""
    src = torch.randint(4, VOCAB, (sentences, WORDS))
    peer = marian(VOCAB, EMBED, LAYERS, HEADS, FORWARD)
    model = Transformer(
        VOCAB, VOCAB, PAD, PAD, EMBED, LAYERS, FORWARD / EMBED, HEADS, max_length=100,
        positions="sinusoidal", scale_embeddings=True, tie_embeddings="three-way",
    ).eval()  # fmt: skip
    config = DecodingConfig(max_ratio=1.0, max_extra=0, forced_end=False)
    with torch.no_grad():
        model.fc_out.bias[END] = -1e4  # random weights would stop at random: nobody stops before 16 tokens

    def ours() -> None:
        assert all(len(hypothesis.ids) == WORDS for hypothesis in greedy(model, src, START, END, config))

    def theirs() -> None:
        with torch.inference_mode():
            answer = peer.generate(
                input_ids=src, attention_mask=torch.ones_like(src), num_beams=1, do_sample=False,
                min_new_tokens=WORDS, max_new_tokens=WORDS,
            )  # fmt: skip
        assert answer.size(1) == WORDS + 1

    works: dict[str, Timed] = {"glassformer": ours, "Hugging Face Marian": theirs}
    if sentences == 32:
        works["glassformer, no cache (why a cache)"] = lambda: uncached(model, src)
    report(
        f"Greedy decoding, batch {sentences}: {WORDS} tokens forced, float32", interleaved(works, rounds),
        sentences * WORDS, "Hugging Face Marian",
    )  # fmt: skip


@torch.inference_mode()
def uncached(model: Transformer, src: Tensor) -> None:
    """The textbook loop: every step does the work of all earlier steps again."""
    trg = torch.full((src.size(0), 1), START)
    for _ in range(WORDS):
        trg = torch.cat([trg, model(src, trg)[:, -1:].argmax(-1)], dim=1)


def padding(data_dir: Path | None) -> None:
    """Padded over useful work of one Multi30k epoch, by our own batches."""
    data = open_dataset("multi30k-de-en", data_dir=data_dir)
    joint = Vocabulary.train((text for pair in data.train() for text in pair), kind="bpe", size=VOCAB)
    pairs = encode_in_memory(data.train(), Vocabularies(joint, joint), max_length=256)
    stream = TokenBatches(pairs, batch_tokens=4096, seed=1, src_pad_id=joint.pad_id, trg_pad_id=joint.pad_id)
    epoch = (batch for batch, _ in zip(stream, range(stream.batches_per_epoch), strict=False))
    ratio = padded_over_useful(epoch, src_pad_id=joint.pad_id)
    print(f"\nPadded over useful work, Multi30k de-en, 4096-token batches: {ratio:.3f}")


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data-dir", type=Path, help="where multi30k lies; without it that figure is left out")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    print(f"{platform.machine()}, {options.threads} threads, torch {torch.__version__}, {options.rounds} rounds")
    training(options.rounds, torch.float32)
    training(options.rounds, torch.bfloat16)
    for sentences in (1, 32):
        decoding(options.rounds, sentences)
    if options.data_dir:
        padding(options.data_dir)


if __name__ == "__main__":
    main()
