"""14, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="14",
    name="loss",
    title="Loss with label smoothing",
    paper="section 5.4; Szegedy et al. 2016",
    minutes=25,
    difficulty=3,
    interview=True,
    hints=(
        "Start with ε = 0: how much does one token cost, and over which of the n x t tokens do you take the mean?",
        "log_softmax over the vocabulary gives (n, t, v). The target's entry of each row is picked by gather.",
        "With ε each token asks for a whole row: ε/v everywhere, and 1 - ε more at the target. So its loss is"
        " (1 - ε) times the target's, plus ε times the mean over all v entries.",
        "Padding positions have a loss too: pick the real ones by a mask of (n, t) and take the mean of those alone.",
        "-(1 - ε) * picked - ε * logs.mean(dim=-1), then [targets != pad_idx].mean().",
    ),
    explanation=(
        "The cross-entropy asks for probability 1 on the target, which no softmax of finite numbers can reach: the"
        " logits would grow for ever. Smoothing asks for a row that can be reached, so the best loss is no longer 0 but"
        " the entropy of that row; the paper notes that perplexity gets worse and BLEU better. The divisor matters as"
        " much: padding is no answer, and a mean over all positions makes a batch with much padding count less. Print"
        " the row that you ask for and add it up, and add ten columns of padding to a batch: the loss must not move."
    ),
    follow_ups=(
        FollowUp(
            question="What is the smallest value the smoothed loss can take, and what does it mean for reading curves?",
            rubric=(
                "the entropy of the target row, reached where the softmax is that row",
                "so a smoothed and a plain loss cannot be compared; validation is reported without smoothing",
                "says that e to the plain loss is the perplexity",
            ),
        ),
        FollowUp(
            question="Two micro-batches hold 900 and 100 real tokens. How do you get the loss of both together?",
            rubric=(
                "the sum of all token losses divided by 1000, not the mean of the two means",
                "each token of the short batch would count nine times as much as one of the long: 1/200 beside 1/1800",
                "says that the same holds for gradients and for several machines",
            ),
        ),
        FollowUp(
            question="Why log_softmax and not the logarithm of a softmax?",
            rubric=(
                "a small probability is rounded to 0 and its logarithm is minus infinity",
                "log_softmax subtracts the log of the sum of exponentials, after taking off the largest",
                "names the gradient, softmax minus row, which stays finite",
            ),
        ),
    ),
)
