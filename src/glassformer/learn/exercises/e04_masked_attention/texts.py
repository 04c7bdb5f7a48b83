"""04, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="04",
    name="masked_attention",
    title="Masked attention",
    paper="section 3.2.3",
    minutes=25,
    difficulty=3,
    interview=False,
    hints=(
        "Start from your attention of exercise 02: one line is added, between the scores and their softmax.",
        "A hidden key must lose its weight before the weights are made to add up to 1: what number has e^number = 0?",
        "energy.masked_fill(~mask, fill): it fills where its own argument is True, so the mask is turned over.",
        "torch.finfo(energy.dtype).min is the lowest number of any dtype. With it a query that sees nothing gets an"
        " average, never NaN.",
        "For safe_masked_attention: mask.any(dim=-1, keepdim=True) says which queries see a key, as n h q 1. The answer"
        " is n q h m, so two axes change places before it is used to write zeros.",
    ),
    explanation=(
        "Hiding must happen before the softmax. After it, the hidden scores have already taken their part of the sum,"
        " so the visible weights shrink by an amount that tells what was hidden, and a decoder learns to read the"
        " future from it. Zero is no hiding place: e^0 = 1 is a usual weight. A query that sees nothing is a question"
        " without an answer: -infinity makes it 0/0, a finite fill makes it an average of what should be hidden, and"
        " both spoil training without an error message. NaN is worst: 0 x NaN is NaN, so it passes into the gradient"
        " of the values even where the loss ignores that row, and from there into the weights. See it: fill with"
        " -inf, hide a whole row, call backward on the sum of the other rows, and print values.grad."
    ),
    follow_ups=(
        FollowUp(
            question="Why does masking after the softmax leak, although the hidden weights become 0?",
            rubric=(
                "the hidden scores are still in the sum that the visible weights are divided by",
                "so the visible weights add up to less than 1, by an amount that depends on the hidden keys",
                "dividing by the new sum makes it equal to masking before",
            ),
        ),
        FollowUp(
            question="Which fill do you choose: -infinity, -1e9, or the lowest number of the dtype?",
            rubric=(
                "they differ only in queries that see nothing: NaN, or an average",
                "-1e9 does not fit into float16, whose largest number is 65504",
                "with NaN once in the forward pass, replacing it afterwards leaves NaN in the gradient",
            ),
        ),
    ),
)
