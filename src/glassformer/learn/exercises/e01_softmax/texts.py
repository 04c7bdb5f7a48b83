"""01, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="01",
    name="softmax",
    title="Softmax",
    paper="section 3.2.1, within equation 1",
    minutes=15,
    difficulty=1,
    interview=True,
    hints=(
        "Three steps, each along the same axis: take the largest number away, raise e to what is left, divide by the"
        " sum.",
        "The largest number of each row, not of the whole tensor: a row near -1000 must survive beside one near +1000.",
        "x.amax(dim=dim, keepdim=True) has a 1 where the axis was, so that it lines up with x again.",
        "powers = (x - x.amax(dim=dim, keepdim=True)).exp(); then divide powers by its sum, with the same dim and"
        " keepdim.",
    ),
    explanation=(
        "e^x is above 0 for every x and grows with it, so dividing by the sum gives weights in the order of x. Only"
        " differences count: adding a constant to all numbers multiplies above and below by the same factor, which is"
        " why the largest may be taken away. After that the largest power is e^0 = 1: nothing overflows, and the sum"
        " is at least 1, so nothing is divided by 0. See it: print torch.tensor([710.0]).double().exp(), then the same"
        " with 709. And print your softmax of [0, 1], [0, 10] and [0, 100]: the larger the numbers, the more it is a"
        " choice of one."
    ),
    follow_ups=(
        FollowUp(
            question="Why may the largest number be taken away, and why must it be the row's own?",
            rubric=(
                "a constant cancels: e^(x - c) = e^x / e^c above and below",
                "the largest power becomes 1, so exp cannot overflow and the sum is at least 1",
                "with a maximum of other rows, a row far below it becomes 0 / 0",
            ),
        ),
        FollowUp(
            question="What is the derivative of softmax, and when does it vanish?",
            rubric=(
                "dp_i/dx_j = p_i (1 if i = j, else 0) - p_i p_j",
                "it vanishes where one weight is near 1 and the others near 0",
                "says what follows for scores that grow with the width: hence the division by sqrt(d)",
            ),
        ),
        FollowUp(
            question="How would you compute it when a row does not fit into memory at once?",
            rubric=(
                "keeps a running maximum and a running sum over blocks",
                "rescales the sum by e^(old maximum - new maximum) when the maximum grows",
                "a second pass divides, or the values are mixed on the way and rescaled too",
            ),
        ),
    ),
)
