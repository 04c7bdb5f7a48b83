"""06, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="06",
    name="positions",
    title="Embeddings and positions",
    paper="sections 3.4 and 3.5",
    minutes=25,
    difficulty=2,
    interview=False,
    hints=(
        "embed: words[tokens] is (n, t, e) at once. Which rows of positions belong to the t places of every sentence?",
        "embed: positions[:t] is (t, e) and lines up with the last two axes of (n, t, e) by itself.",
        "sinusoids: one angle for each place and each pair of channels first, (t, e/2); then its sine and its cosine.",
        "sinusoids: torch.arange(0, e, 2) is 2i already, so the divisor is 10000 ** (that / e), with no further 2.",
        "sinusoids: torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1) alternates; cat would make halves.",
    ),
    explanation=(
        "Attention is a weighted sum over a set, so without positions the encoder answers the same to every order of"
        " the words. Each pair of channels is a clock hand: the first turns by one radian a place, the last so slowly"
        " that it does not come round within thousands of places. A step of k places turns every hand by its own fixed"
        " angle, which is a linear map, the same from every place; that is why near and far can be learned. See it: the"
        " matrix sinusoids(50, 64) @ sinusoids(50, 64).T is the same along each diagonal and largest on the main one."
        " Learned rows do as well in the paper (Table 3, row E), but stop at the length of their table."
    ),
    follow_ups=(
        FollowUp(
            question="Why is the word embedding multiplied by sqrt(e)?",
            rubric=(
                "the table is shared with the output layer and starts with a spread near 1/sqrt(e)",
                "the waves are of order 1, so without the factor they would drown the words at first",
                "it is another factor than the 1/sqrt(d) of the scores, and goes the other way",
            ),
        ),
        FollowUp(
            question="What happens with a sentence longer than any in training?",
            rubric=(
                "a learned table has no row: an index error, or rows that were never trained",
                "sinusoids can be computed, but the model has not seen those angles: quality falls all the same",
                "names a remedy: relative or rotary positions, or training on longer sentences",
            ),
        ),
    ),
)
