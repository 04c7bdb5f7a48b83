import torch

from glassformer.model.masks import look_ahead_mask, padding_mask, target_mask

CPU = torch.device("cpu")


def test_padding_mask_is_true_for_words_and_has_the_origins_shape() -> None:
    tokens = torch.tensor([[5, 6, 0], [7, 0, 0]])
    mask = padding_mask(tokens, pad_idx=0)
    assert mask.shape == (2, 1, 1, 3)
    assert mask.tolist() == [[[[True, True, False]]], [[[True, False, False]]]]


def test_look_ahead_mask_is_the_lower_triangle() -> None:
    assert look_ahead_mask(3, 3, CPU)[0, 0].int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]


def test_queries_are_the_last_of_the_keys_when_a_cache_holds_the_others() -> None:
    assert look_ahead_mask(1, 4, CPU)[0, 0].int().tolist() == [[1, 1, 1, 1]]
    assert look_ahead_mask(2, 4, CPU)[0, 0].int().tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]


def test_target_mask_closes_the_future_and_the_padding() -> None:
    tokens = torch.tensor([[1, 5, 0]])
    mask = target_mask(tokens, pad_idx=0, query_len=3)
    assert mask.shape == (1, 1, 3, 3)
    assert mask[0, 0].int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 0]]


def test_without_a_target_pad_id_only_the_future_is_closed() -> None:
    tokens = torch.tensor([[0, 5, 0], [0, 4, 3]])
    mask = target_mask(tokens, pad_idx=None, query_len=3)
    assert mask.shape == (2, 1, 3, 3)
    assert mask[0, 0].int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
