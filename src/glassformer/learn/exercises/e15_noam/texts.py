"""15, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="15",
    name="noam",
    title="The Noam learning rate",
    paper="section 5.3, equation 3",
    minutes=10,
    difficulty=1,
    interview=False,
    hints=(
        "Two curves, one climbing and one falling: the rate is the lower one. Where do they meet?",
        "Climbing: step x w^-1.5. Falling: step^-0.5. At step w both are w^-0.5.",
        "Both are multiplied by e^-0.5 and by the factor. Step 0 has no step^-0.5: answer 0 before you compute it.",
        "factor * embed_size**-0.5 * min(step**-0.5, step * warmup**-1.5)",
    ),
    explanation=(
        "Adam divides each gradient by its running size. In the first steps that size is known from few noisy batches,"
        " so steps can be far too large, and with the norm after the residual sum the gradients near the output are"
        " large as well. A warm-up takes small steps until the estimates are sound. The rest falls slowly, so that"
        " training never quite ends. Print the curve for w = 4000 and e = 512: the peak is 0.0007. It was chosen for"
        " batches of 25,000 target tokens; with much smaller batches the same steps are over much less text."
    ),
    follow_ups=(
        FollowUp(
            question="Why does a post-norm Transformer need the warm-up, and pre-norm hardly?",
            rubric=(
                "Adam's second moments are noisy in the first steps, so early updates are too large",
                "in post-norm the gradients near the output are large at the start and the sum is normed away",
                "in pre-norm the identity path runs from output to input, which keeps gradients even",
            ),
        ),
        FollowUp(
            question="You halve the batch. What do you change?",
            rubric=(
                "the warm-up counts steps, so it now covers half the text: make it longer",
                "the peak was tuned to the noise of the larger batch: lower the factor",
                "or keep the batch by accumulating two micro-batches",
            ),
        ),
    ),
)
