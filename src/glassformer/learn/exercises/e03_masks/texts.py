"""03, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="03",
    name="masks",
    title="Masks",
    paper="section 3.2.3",
    minutes=20,
    difficulty=2,
    interview=True,
    hints=(
        "Draw the table of a three-word sentence on paper first: who asks stands on the left, who answers on top.",
        "tokens != pad_idx has the shape n k. The words are what is seen, so they belong on the last of four axes:"
        " n 1 1 k.",
        "The look-ahead table is True on the diagonal and below it: torch.ones(...).tril(), or a column of numbers"
        " compared with a row of them.",
        "target_mask is one line: both masks of above, joined by &. Their axes of size 1 line up by broadcasting.",
    ),
    explanation=(
        "In training the whole target stands in the decoder at once, and row i is asked for the word at i + 1. A row"
        " that could see column i + 1 would copy the answer: the loss falls to nothing, and when the model writes by"
        " itself there is no answer to copy. The look-ahead mask takes that away, and so training sees what writing"
        " will see. Padding is hidden as a column, never as a row: what a row of padding answers is ignored by the"
        " loss, while a row that may see nothing at all has no softmax. With padding on the right the look-ahead mask"
        " hides it from every word already; with padding on the left it does not. See it: print"
        " target_mask(tokens, pad_idx)[0, 0].int() for both, and read each row aloud."
    ),
    follow_ups=(
        FollowUp(
            question="Why is one training step over t words not t steps, although the model writes word by word?",
            rubric=(
                "the right earlier words are known in training, so all rows are computed at once",
                "the look-ahead mask makes each row see what it would see when writing",
                "names the price: the model never meets its own mistakes in training",
            ),
        ),
        FollowUp(
            question="Should the rows of padding be hidden too?",
            rubric=(
                "no: nobody reads what they answer, and the loss leaves them out",
                "a row that sees nothing gives NaN with a fill of minus infinity",
                "the NaN reaches shared weights through the gradient, even if the loss skips the row",
            ),
        ),
        FollowUp(
            question="With a cache of 5 earlier positions and 2 new queries, what does the look-ahead mask look like?",
            rubric=(
                "it is 2 x 7: a row for each new query, a column for each position",
                "the first new query sees 6 columns, the second 7",
                "it lines up at the bottom right; a triangle from the top left would hide nearly the whole past",
            ),
        ),
    ),
)
