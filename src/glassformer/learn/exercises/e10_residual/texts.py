"""10, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="10",
    name="residual",
    title="Residuals and norms",
    paper="section 3.1",
    minutes=20,
    difficulty=2,
    interview=False,
    hints=(
        "sublayer and norm are functions: sublayer(x) is its answer to x. Nothing has to be built.",
        "post_norm reads from the inside out: the sublayer reads x, x is added, and the sum is normed.",
        "pre_norm: keep the x that came in. The sublayer reads norm(x), and what is added is x itself, not norm(x).",
        "pre_norm_stack: for sublayer, norm in zip(sublayers, norms): x = pre_norm(x, sublayer, norm). Then"
        " final_norm(x).",
    ),
    explanation=(
        "The sum gives every block a way to do nothing, and gives the gradient a way around every sublayer. In"
        " post-norm that way passes through a norm at each block; the gradient near the output is large at the start,"
        " and without warm-up training diverges. In pre-norm x travels from the first block to the last with nothing"
        " but sums, so deep stacks train at once. The price: nothing bounds the sum, it grows with depth, and later"
        " blocks weigh less beside it. The final norm brings it back to the size that the output layer expects. See it:"
        " stack 24 random feed-forward layers pre-norm, with e = 64, and print x.std() after each block; it went from 1"
        " to 3.6 in ours."
    ),
    follow_ups=(
        FollowUp(
            question="Why does pre-norm need a norm after the last block, and post-norm not?",
            rubric=(
                "in pre-norm no norm has seen the last sum; its size grows with depth",
                "in post-norm the last thing a block does is to norm",
                "torch's nn.Transformer adds one to post-norm stacks all the same",
            ),
        ),
        FollowUp(
            question="Post-norm without warm-up diverges. Why, and what else helps than warm-up?",
            rubric=(
                "at the start gradients near the output are large, and early steps with Adam are unreliable",
                "pre-norm, or a smaller start of the last matrix of each sublayer, or a scaled residual",
                "says that post-norm may end a little better once it trains",
            ),
        ),
    ),
)
