"""08, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="08",
    name="layer_norm",
    title="Layer normalisation",
    paper="section 3.1, after Ba et al. 2016",
    minutes=15,
    difficulty=2,
    interview=True,
    hints=(
        "Everything happens inside one token: which of the three axes n t e is summed away, and must it stay as an axis"
        " of size 1?",
        "x.mean(dim=-1, keepdim=True) has the shape (n, t, 1) and so lines up with x.",
        "The variance is the mean of the squares of x - mean. torch's var and std divide by e - 1 unless told"
        " correction=0.",
        "eps is added to the variance, inside the root: (x - mean) / (variance + eps).sqrt(). Then times gain, plus"
        " bias.",
    ),
    explanation=(
        "Sums of many layers' answers grow, and each layer would have to follow the size of what arrives. Normalising a"
        " token by its own mean and spread makes that size a constant. It needs no other token: not the sentence, as"
        " that would let the future in, and not the batch, as a sentence must mean the same alone. eps keeps a token"
        " with equal channels from dividing 0 by 0; inside the root it bounds the gradient too, which is 1 / sqrt(eps)"
        " at most. See what one word of a call does: with [1, 0, 0, 0] the first channel becomes 1.5 when divided by"
        " std(), and 1.732 when divided by std(correction=0)."
    ),
    follow_ups=(
        FollowUp(
            question="Why layer norm and not batch norm in a Transformer?",
            rubric=(
                "batch norm's statistics mix sentences of different lengths, padding among them",
                "training and inference differ, and a batch of one or one token at a time has no statistics",
                "layer norm is the same function of one token in training and in decoding",
            ),
        ),
        FollowUp(
            question="What does RMSNorm leave out, and why is that possible?",
            rubric=(
                "the mean is not subtracted, and there is no bias",
                "the size of a token, not its place, is what must be bounded",
                "it saves one pass over the channels; the weights of the two are not interchangeable",
            ),
        ),
        FollowUp(
            question="In half precision, which steps of it do you compute in float32?",
            rubric=(
                "the mean and the variance: squares overflow float16 from 256 on, and sums lose digits",
                "names the alternative: E[x^2] - E[x]^2 cancels, the two-pass form does not",
                "the answer may go back to half precision",
            ),
        ),
    ),
)
