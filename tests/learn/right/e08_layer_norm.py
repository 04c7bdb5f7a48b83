"""Layer normalisation, rightly, in other ways than the solution's."""

import torch
from torch import Tensor, einsum


def by_loops(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    out = torch.empty_like(x)
    for sentence in range(x.size(0)):
        for position in range(x.size(1)):
            channels = x[sentence, position].tolist()
            mean = sum(channels) / len(channels)
            variance = sum((value - mean) ** 2 for value in channels) / len(channels)
            for channel, value in enumerate(channels):
                scaled = gain[channel] * (value - mean) / (variance + eps) ** 0.5
                out[sentence, position, channel] = scaled + bias[channel]
    return out


def by_the_library(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    return torch.nn.functional.layer_norm(x, (x.size(-1),), gain, bias, eps)


def mean_of_squares_less_square_of_mean(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    mean = x.mean(-1).unsqueeze(-1)
    variance = (x * x).mean(-1, True) - mean**2
    return (x - mean) * torch.rsqrt(variance + eps) * gain + bias


def by_var_and_mean(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    variance, mean = torch.var_mean(x, dim=2, correction=0, keepdim=True)
    return torch.addcmul(bias, gain, (x - mean) / torch.sqrt(variance + eps))


def by_a_centring_matrix(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    e = x.shape[-1]
    centred = x @ (torch.eye(e, dtype=x.dtype) - 1 / e)
    variance = einsum("nte,nte->nt", centred, centred) / e
    return centred / (variance[:, :, None] + eps).pow(0.5) * gain + bias


def in_float32(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    return by_var_and_mean(x.float(), gain.float(), bias.float(), eps)


RIGHT = {
    "layer_norm": [
        by_loops,
        by_the_library,
        mean_of_squares_less_square_of_mean,
        by_var_and_mean,
        by_a_centring_matrix,
        in_float32,
    ]
}
