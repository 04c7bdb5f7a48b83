"""20, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="20",
    name="counting",
    title="Counting parameters, operations and bytes",
    paper="Table 1, Table 3",
    minutes=35,
    difficulty=3,
    interview=True,
    hints=(
        "Write small functions, one for each building block, and add them up as figure 1 does.",
        "A linear layer from a to b holds a x b + b numbers. Over p positions it costs 2 x p x a x b operations.",
        "An encoder layer: an attention, feed-forward, 2 norms. A decoder layer: 2 attentions, feed-forward, 3 norms.",
        "Attention of q queries to k keys: queries and fc_out at q positions, keys and values at k positions, each"
        " e x e; then q x k dot products of e channels in all heads together, and as much again for the mix.",
        "The cache: two things (keys, values), for each layer, sentence, position (t of the target, s of the memory)"
        " and channel.",
    ),
    explanation=(
        "Heads cost nothing: h heads of e / h channels have the columns and the dot products of one head of e channels."
        " The work has a part that grows with the length, 8 e^2 + 4 e f for each token and layer, and one that grows"
        " with its square, 4 e for each pair; they are equal where the length is 2 e + f, 3,072 tokens for base: up to"
        " there the quadratic part is the smaller one. Training costs three times the forward pass, because each"
        " product needs two more for its gradients. Check your numbers against a machine: sum(p.numel() for p in"
        " model.parameters()), torch.utils.flop_counter.FlopCounterMode, and the sizes of the tensors in a Cache. All"
        " three agree with these formulas for glassformer's model, to the last digit."
    ),
    follow_ups=(
        FollowUp(
            question="A batch of long sentences no longer fits while decoding: what in the cache can shrink?",
            rubric=(
                "fewer keys and values: heads share them in groups, or all of them share one pair",
                "fewer bytes a number: 2 or 1 instead of 4",
                "fewer positions: a window, or pages that are given out as they are needed",
            ),
        ),
        FollowUp(
            question="About how many operations does training take for each token, and why that many?",
            rubric=(
                "6 for each weight that the token meets: 2 forward and 4 backward",
                "the embedding tables are read, not multiplied; the output layer counts",
                "says when the quadratic part may be left out",
            ),
        ),
        FollowUp(
            question="Which is the largest part of base with 37,000 words, and what does tying change?",
            rubric=(
                "three untied tables hold 57 million, more than both stacks' 44 million",
                "tied, one table holds 19 million",
                "tying saves memory, not operations: the output layer is computed all the same",
            ),
        ),
    ),
)
