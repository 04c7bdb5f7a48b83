"""02, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="02",
    name="attention",
    title="Scaled dot-product attention",
    paper="section 3.2.1, equation 1",
    minutes=20,
    difficulty=2,
    interview=True,
    hints=(
        "Write down the shape of each step in letters first: n q h d and n k h d become n h q k, and then n q h m.",
        'The first einsum sums over the one letter that is not on the right of its arrow: "nqhd,nkhd->nhqk".',
        "The weights of one query add up to 1 over the keys: which axis of n h q k is that?",
        "Divide by the square root of the number of terms in one dot product, before the softmax.",
    ),
    explanation=(
        "A dot product of two vectors of d independent numbers with variance 1 has variance d. Without the division"
        " the scores grow with sqrt(d), the softmax puts nearly all weight on one key, and its gradient vanishes. "
        "Dividing by d instead of sqrt(d) errs the other way: the weights are nearly equal. Measure it: draw random"
        " queries and keys with d = 4, 64, 256 and print the standard deviation of their dot products."
    ),
    follow_ups=(
        FollowUp(
            question="Why the square root of d, and not d?",
            rubric=(
                "the variance of a sum of d independent products is d, so the standard deviation is sqrt(d)",
                "the aim is scores of order 1 whatever d is",
                "says what a saturated softmax does to the gradient",
            ),
        ),
        FollowUp(
            question="What does it cost in time and memory for n sentences of length t?",
            rubric=(
                "the two products cost O(n t^2 h d) each",
                "the energy holds n h t^2 numbers: quadratic in the length",
                "names a way around storing it, such as computing the softmax block by block",
            ),
        ),
    ),
)
