"""05, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="05",
    name="multi_head",
    title="Multi-head attention",
    paper="section 3.2.2",
    minutes=30,
    difficulty=3,
    interview=True,
    hints=(
        "Five lines: queries, keys, values, attention, output. Write the letters of each shape beside its line first.",
        "Only query is multiplied with to_queries; keys and values both come from key.",
        "Cutting e into h d is one step and moves nothing: unflatten(-1, (heads, -1)), or view(n, q, heads, d). Since"
        " masked_attention wants n q h d, no axes change places at all.",
        "Its answer is n q h d again, h beside d: flatten(2) puts the heads side by side, then @ weights.fc_out.",
    ),
    explanation=(
        "One head has one softmax per word, so it can look in one direction. Several heads in fewer channels cost the"
        " same and look in several, and W^O is where what they found is mixed. Whatever the number of heads, the"
        " matrices stay (e, e): more heads means no more parameters. A view never moves numbers: n q e may be read as"
        " n q h d, and never as n h q d. The wrong reading has the right shape, trains to a perfect loss on a small"
        " task, since the mixed words leak the answer, and writes nonsense. See it: cut torch.arange(8).view(1, 2, 4)"
        " both ways and print them. And zero one head's rows of W^O: what its queries were no longer matters."
    ),
    follow_ups=(
        FollowUp(
            question="How many parameters has multi-head attention with e = 512, for 1, 8 and 16 heads?",
            rubric=(
                "4 e^2 = 1 048 576 without biases, for every number of heads",
                "each head has e x d of three matrices and d x e of the fourth, and h d = e",
                "says that the scores do grow with the heads: n h q k numbers",
            ),
        ),
        FollowUp(
            question="Your model has a near-perfect training loss and writes nonsense. How do you find out whether the"
            " heads are cut wrongly?",
            rubric=(
                "changes a later word and looks whether earlier answers move: they must not",
                "checks that zeroing one head's rows of W^O silences that head alone",
                "names view or reshape without a transpose as the cause: right shape, wrong numbers",
            ),
        ),
        FollowUp(
            question="What changes for grouped-query attention?",
            rubric=(
                "fewer heads for keys and values than for queries, each shared by a group of query heads",
                "to_keys and to_values become narrower",
                "the cache of keys and values shrinks by the same factor, which is the reason for it",
            ),
        ),
    ),
)
