"""What a run will cost, worked out before anything runs: `glassformer train RUN --dry-run`."""

import time
from dataclasses import dataclass

import numpy as np
import torch

from glassformer.runs.experiment import Experiment

MEASURE_SECONDS = 0.3
CPU_KERNELS = 2 * 2**30  # what PyTorch keeps for the many shapes of batches on a CPU, measured after 600 updates
SHARE_OF_PEAK = 0.4  # of the matmul rate, what a training step of small matrices reaches in our benchmark


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Sizes and estimates; the estimates are rough and say so where they are shown."""

    parameters: int
    trg_tokens_per_epoch: int
    steps_per_epoch: int
    steps: int  # at most
    memory_bytes: int  # weights, gradients, AdamW's two moments, activations, kernels
    seconds: float  # at most


def plan(experiment: Experiment, device: torch.device) -> Plan:
    """Count what can be counted and estimate the rest from this machine's matmul rate."""
    training, pairs = experiment.recipe.training, experiment.train_pairs
    model = experiment.build_model("meta")  # its sizes alone are asked for
    config = model.config
    parameters = sum(parameter.numel() for parameter in model.parameters())
    per_step = training.batch_tokens * training.accumulate
    steps_per_epoch = max(1, round(int(np.maximum(pairs.src_lengths, pairs.trg_lengths).sum()) / per_step))
    # Per token: six numbers of e and two of f in each layer, forward values kept for the backward pass, and the logits.
    kept = (config.encoder.layers + config.decoder.layers) * (12 * config.embed_size + 2 * config.encoder.forward_size)
    activations = 4 * training.batch_tokens * (2 * kept + 3 * config.trg_vocab_size)
    flops_per_step = 6 * parameters * per_step
    seconds_per_step = flops_per_step / (SHARE_OF_PEAK * matmul_rate(device))
    limit_steps = training.max_steps or 10**9
    limit_seconds = 60 * training.max_minutes if training.max_minutes else float("inf")
    seconds = min(limit_steps * seconds_per_step, limit_seconds)
    return Plan(
        parameters=parameters,
        trg_tokens_per_epoch=pairs.counts.trg_tokens,
        steps_per_epoch=steps_per_epoch,
        steps=min(limit_steps, int(seconds / seconds_per_step)),
        memory_bytes=16 * parameters + activations + (CPU_KERNELS if device.type == "cpu" else 0),
        seconds=seconds,
    )


def matmul_rate(device: torch.device) -> float:
    """Floating-point operations a second of this machine, on a matrix product of a middling size in float32."""
    size = 1024 if device.type == "cpu" else 4096
    a = torch.randn(size, size, device=device)
    products, start = 0, time.perf_counter()
    while time.perf_counter() - start < MEASURE_SECONDS:
        (a @ a)[0, 0].item()
        products += 1
    return products * 2 * size**3 / (time.perf_counter() - start)
