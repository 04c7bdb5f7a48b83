"""Every finding by name: what it means, the thread where others met it, the exercise that trains it, its row.

The order is the order of a report: causes before symptoms. Threads are those of confusions 1 to 29.
"""

from typing import NamedTuple


class Kind(NamedTuple):
    """All of a finding but its witness."""

    title: str
    meaning: str
    thread: str
    exercise: str
    row: int | None  # of confusions 1 to 29; None where it is none of them


AT = "harvardnlp/annotated-transformer"
AL = "aladdinpersson/Machine-Learning-Collection"
BT = "bentrevett/pytorch-seq2seq"
HW = "hyunwoongko/transformer"
JA = "jadore801120/attention-is-all-you-need-pytorch"

KINDS: dict[str, Kind] = {
    "wrong-mask-shape": Kind(
        "The model runs only where sizes happen to agree",
        "Masks and tensors are (batch, ...) in one place and (length, ...) in another. Sizes that agree hide it; write "
        "the shape beside each mask: (n, 1, 1, s) for padding, (1, 1, t, t) for the look-ahead mask.",
        "pytorch/pytorch#39439",
        "03",
        22,
    ),
    "source-mask-in-cross-attention": Kind(
        "Cross-attention has the mask of the wrong side",
        "In cross-attention the target asks and the source answers: its keys are source positions, so it needs the "
        "source's padding mask, (n, 1, 1, s), as wide as the source and not as the target.",
        "pengshuang/Transformer#7",
        "12",
        24,
    ),
    "heads-split-wrong": Kind(
        "Heads are cut without a transpose",
        "Viewing (n, k, e) as (n, h, k, d) deals whole positions out to heads. Cut the channels first, (n, k, h, d), "
        "and then transpose.",
        "gazelle93/Transformer-Various-Positional-Encoding#1",
        "05",
        6,
    ),
    "heads-merged-wrong": Kind(
        "Heads are merged without a transpose",
        "Viewing (n, h, q, d) as (n, q, e) mixes positions with heads: words receive what other words attended to. "
        "Transpose to (n, q, h, d) first. Training can look perfect meanwhile.",
        "jsbaan/transformer-from-scratch#6",
        "05",
        6,
    ),
    "heads-share-projection": Kind(
        "All heads share one small projection",
        "The paper gives each head its own W^Q, W^K and W^V. One d x d matrix for all of them lets heads differ only "
        "by the slice of the input they read.",
        f"{AL}#3",
        "05",
        8,
    ),
    "projections-swapped": Kind(
        "An attention uses the wrong projection",
        "queries, keys and values each have their own matrix. Mixed up, the model still trains, and another model's "
        "weights no longer fit.",
        "Khaliladib11/Transformer-from-scratch#1",
        "05",
        8,
    ),
    "softmax-axis": Kind(
        "The softmax runs over the wrong axis",
        "Each query shares its attention among the keys: softmax over the last axis of (n, h, q, k). Over the queries, "
        "each weight depends on later positions as well, which leaks the future.",
        "labmlai/annotated_deep_learning_paper_implementations#146",
        "02",
        11,
    ),
    "mask-after-softmax": Kind(
        "The mask is applied after the softmax",
        "Hidden keys have then already taken part in the normalisation: the rest no longer sums to 1, and its size "
        "tells how large the hidden energies were. Mask the energies before.",
        "huggingface/pytorch-image-models#2236",
        "04",
        11,
    ),
    "mask-fill-too-small": Kind(
        "Masked energies are filled with a number near zero",
        "exp(0) is 1: a fill of 0 or -1e-9 leaves the hidden keys in. Fill with the lowest number of the dtype.",
        "Shujun-He/RibonanzaNet#5",
        "04",
        11,
    ),
    "mask-polarity": Kind(
        "A mask means the opposite",
        "nn.Transformer reads True as blocked; scaled_dot_product_attention and most projects read True as may attend. "
        "A mask made for one and given to the other hides the words and shows the padding.",
        "pytorch/pytorch#120488",
        "03",
        4,
    ),
    "look-ahead-inverted": Kind(
        "The look-ahead mask is the other triangle",
        "Position i may see positions 0 to i: torch.tril keeps those. With torch.triu and True = may attend, the past "
        "is hidden and the future open.",
        "hkproj/pytorch-transformer#19",
        "03",
        5,
    ),
    "diagonal-hidden": Kind(
        "Target words may not attend to themselves",
        "The diagonal belongs to what a position may see: its own word is an input, the one it is asked for is the "
        "next. The first row would have no key at all.",
        "pbloem/former#10",
        "03",
        11,
    ),
    "history-unseen": Kind(
        "The decoder does not see the earlier words of the target",
        "Each position should see all target words up to its own. Look at the masks of the decoder's self-attention.",
        f"{AT}#137",
        "03",
        4,
    ),
    "pad-mask-on-query-axis": Kind(
        "The padding mask is on the query axis",
        "(n, 1, q, 1) stops the padding from asking; everybody can still attend to it. The mask belongs on the keys: "
        "(n, 1, 1, k).",
        f"{BT}#73",
        "03",
        2,
    ),
    "wrong-pad-id": Kind(
        "The masks hide another id than the padding",
        "Each vocabulary has its own padding id. A hard-coded id, or the source's in the target's mask, hides a word "
        "and shows the padding.",
        f"{HW}#11",
        "03",
        18,
    ),
    "padding-leak-source": Kind(
        "The source's padding changes the answer",
        "Padding fills up a batch and means nothing. The encoder's self-attention and the decoder's cross-attention "
        "both need the source's padding mask on their keys.",
        f"{BT}#118",
        "03",
        2,
    ),
    "future-leak": Kind(
        "The decoder sees the future",
        "In training the answer stands in the input, so scores look perfect; while it writes there is no future to "
        "copy from, and it writes nonsense. Hide every later target position in the decoder's self-attention.",
        f"{JA}#19",
        "03",
        11,
    ),
    "padding-leak-target": Kind(
        "The target's padding changes scores of real words",
        "What follows a sentence must not change it. Something mixes target positions outside the masked attention.",
        f"{BT}#73",
        "03",
        2,
    ),
    "wrong-scale": Kind(
        "Scores are scaled by another constant than 1/sqrt(head_dim)",
        "q . k is a sum of head_dim products, so its spread grows with sqrt(head_dim); that is what equation 1 divides "
        "by. Anything else starts the softmax too flat or too sharp.",
        f"{AL}#30",
        "02",
        9,
    ),
    "positions-ignored": Kind(
        "The order of the words has no effect",
        "Attention treats its keys as a bag. Add a position to each embedding, and index it by the position, not by "
        "the sentence.",
        "guocheng2025/Transformer-Encoder#1",
        "06",
        11,
    ),
    "residual-missing": Kind(
        "A block has no way around its sublayers",
        "Each sublayer is added to its input, x + Sublayer(x). Without that, what a block was given is lost wherever "
        "the sublayer answers little, and deep stacks hardly learn.",
        "kyegomez/BitNet#32",
        "10",
        None,
    ),
    "feed-forward-linear": Kind(
        "The feed-forward layer has no activation",
        "Two linear layers in a row are one linear layer. Equation 2 has max(0, .) in between.",
        "nutonomy/nuscenes-devkit#728",
        "09",
        None,
    ),
    "source-ignored": Kind(
        "The decoder ignores the source",
        "Every source gets the same answer. Cross-attention must take its keys and values from the encoder's memory.",
        "OpenNMT/OpenNMT-py#227",
        "12",
        14,
    ),
    "batch-mixes": Kind(
        "Sentences of one batch see each other",
        "An axis is taken for another: nn.Transformer without batch_first=True reads (length, batch, e), and a "
        "reshape may interleave sentences. Each sentence must get the answer it gets by itself.",
        "lsdefine/attention-is-all-you-need-keras#36",
        "11",
        7,
    ),
    "batch-of-one": Kind(
        "A batch of one sentence cannot be computed",
        "Look for .squeeze() without an axis: it also removes a batch axis of size 1. Decoding often has one sentence.",
        "karpathy/nanoGPT#253",
        "11",
        29,
    ),
    "company-changes-answers": Kind(
        "A sentence's answer depends on the lengths of its neighbours",
        "Rows of one batch may have different amounts of padding; each must be masked by its own.",
        "huggingface/transformers#3021",
        "11",
        29,
    ),
    "parameters-without-gradient": Kind(
        "Parameters receive no gradient",
        "They never change in training: they are not used, or used outside the graph. A projection that was skipped "
        "trains fine otherwise.",
        "Khaliladib11/Transformer-from-scratch#1",
        "05",
        8,
    ),
    "random-in-eval": Kind(
        "Two equal calls in evaluation mode differ",
        "Dropout is still on: F.dropout(x, p) drops unless it is given training=self.training.",
        "pytorch/pytorch#86120",
        "11",
        23,
    ),
    "modes-differ": Kind(
        "Training mode, evaluation mode or no_grad compute different numbers",
        "With dropout at 0 all of them should agree on the real positions. Batch statistics, a branch on self.training "
        "or a mask that the fast path reads differently are the usual reasons.",
        "pytorch/pytorch#97111",
        "11",
        23,
    ),
    "decoding-differs": Kind(
        "Decoding computes other numbers than training",
        "Written word by word, a sentence must get the scores it gets in one pass; otherwise the model is trained for "
        "one function and used as another.",
        f"{JA}#176",
        "17",
        12,
    ),
    "cache-differs": Kind(
        "The cache changes the numbers",
        "Steps with a cache must equal one pass: the usual reasons are positions that restart at 0, a mask aligned "
        "top-left, and keys added twice or out of order.",
        "lucidrains/x-transformers#311",
        "17",
        28,
    ),
    "special-ids": Kind(
        "Special ids contradict each other",
        "Start, end and padding have jobs that exclude each other, and every part must agree on who is who.",
        f"{AT}#127",
        "13",
        13,
    ),
    "start-is-padding": Kind(
        "The start of a sentence is masked as padding",
        "Start and padding share an id here, so the target's padding mask hides the start and its row has no key. "
        "Leave that mask out: right padding lies in the future of every word already.",
        f"{AT}#127",
        "03",
        13,
    ),
    "nan-scores": Kind(
        "Scores are not finite",
        "A row of attention without any allowed key gives NaN when the fill is minus infinity. Even the first batch "
        "cannot be learned from.",
        "pytorch/pytorch#41508",
        "04",
        3,
    ),
    "empty-row-nan": Kind(
        "One row without a key turns other rows or all gradients to NaN",
        "Softmax over nothing but minus infinity is 0/0. Refuse an all-padding source when the batch is made, mask "
        "keys and never query rows, and let such a row answer 0.",
        "pytorch/pytorch#41508",
        "04",
        3,
    ),
    "half-overflow": Kind(
        "Half precision overflows",
        "-1e9 and -1e20 are no numbers of float16, whose lowest is -65504. Take the fill from the dtype: "
        "torch.finfo(energy.dtype).min.",
        f"seen in {AL}",
        "04",
        3,
    ),
    "softmax-in-model": Kind(
        "The model returns probabilities",
        "Cross-entropy takes the softmax itself; a second one keeps every probability of v words below e/(v - 1 + e), "
        "so that the loss sticks far above 0. Return the logits.",
        f"{AT}#38",
        "14",
        17,
    ),
    "first-loss": Kind(
        "The first loss is far above ln(v)",
        "An untrained model should claim nothing: a loss near ln(v). A table N(0, 1) used as output layer too claims "
        "with confidence what is wrong; begin a tied table at N(0, 0.02^2) or e^-0.5.",
        "huggingface/transformers#26441",
        "13",
        26,
    ),
    "layer-norm-formula": Kind(
        "The layer norm is not the formula",
        "(x - mean) / sqrt(variance + eps), with the variance over e, not e - 1, and eps under the root. The "
        "difference is 6 % at 8 channels and 0.1 % at 512: it matters with other people's weights.",
        f"{AT}#119",
        "08",
        16,
    ),
    "length-error": Kind(
        "A sentence that is too long fails without a word on length",
        "The table of positions ends, and the bare index error names neither the sentence nor the limit; on a GPU it "
        "poisons the process. Check the length and say both numbers.",
        f"{BT}#69",
        "06",
        25,
    ),
    "target-not-shifted": Kind(
        "The target is not shifted by one",
        "The decoder reads trg[:, :-1] and is asked for trg[:, 1:]: position i is asked for word i + 1. Unshifted, it "
        "learns to copy its input.",
        "IpsumDominum/Pytorch-Simple-Transformer#3",
        "13",
        10,
    ),
    "loss-counts-padding": Kind(
        "The loss counts padding",
        "Labels that are padding need ignore_index=trg_pad_idx, the target's id; otherwise the model is praised for "
        "filling up batches.",
        f"{HW}#20",
        "14",
        17,
    ),
    "loss-skips-end": Kind(
        "The loss never asks for the end of the sentence",
        "The label of the last word is the end id. If it is dropped or ignored, the model never learns to stop.",
        f"{BT}#133",
        "14",
        10,
    ),
    "loss-formula": Kind(
        "The loss is not the cross-entropy of the scores",
        "Its gradient should be softmax(scores) minus the label's distribution. The usual reason is a second softmax.",
        f"{AT}#109",
        "14",
        17,
    ),
}
