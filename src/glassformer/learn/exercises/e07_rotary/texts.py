"""07, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="07",
    name="rotary",
    title="Rotary positions",
    paper="RoFormer, section 3.2.2",
    minutes=25,
    difficulty=3,
    interview=True,
    hints=(
        "First the angles alone: one for each position and each pair, (t, d/2). Then the turning.",
        "torch.arange(0, d, 2) is 2i already; the angles are positions[:, None] / base ** (that / d).",
        "x is (n, t, h, d): the angles need an axis of size 1 for the heads, (t, 1, d/2), or broadcasting lays"
        " positions against heads.",
        "x[..., 0::2] and x[..., 1::2] are the first and the second numbers of all pairs. Compute both new ones, then"
        " alternate them: torch.stack([...], dim=-1).flatten(-2).",
    ),
    explanation=(
        "A turned query times a turned key is the product of the two unturned ones with the difference of their turns"
        " between them: turning both by the same extra angle changes nothing, so the score knows the distance and not"
        " the place. Lengths stay as they are, and nothing is added to what the words say. Which channels form a pair"
        " is a matter of taste as long as queries and keys agree, for the weights before them can learn any order; but"
        " loading weights of the other taste gives fluent nonsense. See it: turn a query and a key by positions (5, 2)"
        " and by (105, 102): the products agree. Because the shift is invisible in scores, only the turned vectors"
        " themselves show whether the counting starts at 0."
    ),
    follow_ups=(
        FollowUp(
            question="Why are the values not turned?",
            rubric=(
                "positions are needed where it is decided who looks at whom: in the scores",
                "a turned value would carry its absolute position into the sum, and nothing would turn it back",
                "added positions, by contrast, do reach the values",
            ),
        ),
        FollowUp(
            question="With a cache, do you store the keys turned or unturned?",
            rubric=(
                "turned: each key's angle depends on its own position alone and never changes",
                "the new token must come with its true position, not with 0",
                "names when unturned keys are needed: where positions are renumbered, as in a sliding window",
            ),
        ),
        FollowUp(
            question="A model trained on 4000 positions is to read 16000. What can be done with the angles?",
            rubric=(
                "angles beyond training were never seen, the slow pairs' above all",
                "positions can be divided by 4, or the base raised, so that the angles stay in the known range",
                "a little further training helps either of them",
            ),
        ),
    ),
)
