"""Muon: the steps of matrices inside the layers, and what the other weights get."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from glassformer.data import make_batch
from glassformer.errors import UserError
from glassformer.train import TrainingConfig, train_step
from glassformer.train.config import Precision
from glassformer.train.muon import Muon, orthogonal
from glassformer.train.step import make_optimizer
from tests.small import small_model
from tests.train.small_run import small_trainer


@pytest.mark.parametrize("shape", [(16, 16), (16, 64), (64, 16)])
def test_a_matrix_made_orthogonal_is_about_equally_long_in_every_direction(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrices = torch.randn(3, *shape) * torch.tensor([1e-6, 1, 1e6]).view(3, 1, 1)
    values = torch.linalg.svdvals(orthogonal(matrices))
    assert values.shape == (3, 16)
    # The smallest values of a square random matrix lie near 0, from where few rounds do not lift them.
    assert values[:, :12].min() > 0.6
    assert values.max() < 1.3


def test_a_matrix_made_orthogonal_keeps_its_directions() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(8, 32, dtype=torch.float64)
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    inside = u.mT @ orthogonal(matrix[None])[0] @ vh.mT
    assert torch.allclose(inside, torch.diag(inside.diagonal()), atol=1e-10)


@pytest.mark.parametrize("numbers", [None, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", [(16, 16), (16, 64), (64, 16)])
def test_updates_are_those_of_the_library_which_has_half_precision(
    shape: tuple[int, int], numbers: torch.dtype | None
) -> None:
    torch.manual_seed(0)
    start = torch.randn(shape)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    library = torch.optim.Muon(
        [theirs], lr=0.03, weight_decay=0.5, momentum=0.95, ns_steps=3, adjust_lr_fn="match_rms_adamw"
    )
    others = [{"params": [torch.nn.Parameter(torch.zeros(1))]}]
    optimizer = Muon([ours], others, numbers, lr=0.03, weight_decay=0.5)
    for _ in range(4):
        gradient = torch.randn(shape)
        for weight, update in ((ours, optimizer.step), (theirs, library.step)):
            weight.grad = gradient.clone()
            update()
    moved = (theirs - start).norm()
    assert (ours - theirs).norm() < 0.01 * moved


@pytest.mark.parametrize(
    ("precision", "dtype", "numbers"),
    [
        ("float32", torch.float32, None),
        ("bfloat16", torch.float32, torch.bfloat16),
        ("bfloat16", torch.float64, None),
    ],
)
def test_it_computes_in_the_numbers_of_the_models_products(
    precision: Precision, dtype: torch.dtype, numbers: torch.dtype | None
) -> None:
    optimizer = make_optimizer(small_model(dtype=dtype), TrainingConfig(optimizer="muon", precision=precision))
    assert isinstance(optimizer, Muon)
    assert optimizer.numbers == numbers


def test_only_matrices_inside_the_layers_are_taken_and_all_others_move_as_with_adamw() -> None:
    plain = small_model()
    model = copy.deepcopy(plain)
    batch = make_batch([[3, 4, 5, 2]], [[1, 5, 2]], src_pad_id=0, trg_pad_id=0)
    adamw = TrainingConfig(precision="float64")
    for each, config in ((plain, adamw), (model, replace(adamw, optimizer="muon"))):
        train_step(each, make_optimizer(each, config), [batch], config, rate=0.01, pad_idx=0)
    same = {name for name, weight in plain.named_parameters() if torch.equal(weight, model.get_parameter(name))}
    expected = {name for name, weight in plain.named_parameters() if "layers" not in name or weight.ndim < 2}
    assert same == expected
    assert len(expected) < len(list(plain.parameters()))


def test_a_run_begun_with_one_optimizer_is_not_resumed_with_the_other(tmp_path: Path) -> None:
    small_trainer(tmp_path, max_steps=3).train()
    with pytest.raises(UserError, match="another model or optimizer: exp_avg_sq"):
        small_trainer(tmp_path, max_steps=6, optimizer="muon").resume()
