"""Text to tensors: vocabularies, parallel text, encoded pairs, batches by a budget of tokens, named data sets."""

from glassformer.data.batches import Batch, TokenBatches, batches_in_order, make_batch, padded_over_useful
from glassformer.data.dataset import DataSet
from glassformer.data.encode import Counts, EncodedPairs, encode_in_memory, encode_pairs
from glassformer.data.named import DATASETS, open_dataset
from glassformer.data.own import from_files, from_sources, only_test
from glassformer.data.split import check_same_split
from glassformer.data.text import Dropped, Jsonl, Pair, Tsv, TwoFiles, read_lines, read_pairs
from glassformer.data.vocabulary import Vocabularies, Vocabulary

__all__ = [
    "DATASETS",
    "Batch",
    "Counts",
    "DataSet",
    "Dropped",
    "EncodedPairs",
    "Jsonl",
    "Pair",
    "TokenBatches",
    "Tsv",
    "TwoFiles",
    "Vocabularies",
    "Vocabulary",
    "batches_in_order",
    "check_same_split",
    "encode_in_memory",
    "encode_pairs",
    "from_files",
    "from_sources",
    "make_batch",
    "only_test",
    "open_dataset",
    "padded_over_useful",
    "read_lines",
    "read_pairs",
]
