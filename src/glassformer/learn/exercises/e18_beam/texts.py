"""18, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="18",
    name="beam",
    title="Beam search",
    paper="section 6.1",
    minutes=60,
    difficulty=5,
    interview=True,
    seconds=20,
    hints=(
        "Write it for one sentence first, with a list of (log p, tokens, row of the state); then put the rows of all"
        " sentences side by side, so that one call of `step` serves them all.",
        "state.repeat_interleave(beam, dim=0) gives each sentence `beam` rows next to each other. All but the first"
        " start with log p = -inf: before the first token there is only one hypothesis.",
        "log p of all continuations: (scores.unsqueeze(2) + log_probs.view(n, beam, -1)).flatten(1). An index into it"
        " is parent x v + token.",
        "Each hypothesis has one continuation that ends, so the best 2 x beam continuations hold `beam` that do not."
        " Finished are those of the first `beam` that end; mask them before you take the best `beam` of the rest.",
        "The rows to go on with are parent + beam x sentence: take state[rows], and the tokens of the same parents.",
        "Keep for each sentence the best score so far and its tokens. At max_length the live ones compete too.",
    ),
    explanation=(
        "The sum of log probabilities falls with every token, so that by itself it favours short answers, and the wider"
        " the beam, the more short ones it finds. The penalty of section 6.1 divides by a power of the length; alpha ="
        " 0.6 was chosen on a development set. Finished hypotheses step aside because they cannot fall any further:"
        " left in the beam they would crowd out the ones that still grow. The state must follow its hypothesis: if two"
        " continuations of row 0 win, both rows need row 0's keys and values. See it by running the same model with a"
        " beam of 1, 2 and 4 and printing log p of each answer: it mostly rises with the beam. It may fall, even"
        " without a penalty: two beginnings that are better so far can push out the one that greedy search would have"
        " followed to a better end. Only a beam wide enough to lose nothing is sure to find the best."
    ),
    follow_ups=(
        FollowUp(
            question="Why can a wider beam give worse translations, though it mostly finds more probable ones?",
            rubric=(
                "the model's most probable answer is not its best one; very short or empty answers can win",
                "a length penalty hides the problem instead of curing it",
                "says that training never compares whole answers, only next tokens",
            ),
        ),
        FollowUp(
            question="When may the search stop before max_length without changing the answer?",
            rubric=(
                "a live hypothesis's log p can only fall",
                "the bound divides its log p by the largest penalty that it may reach, that of max_length",
                "stops when the worst finished one that is kept beats that bound for every live one",
            ),
        ),
        FollowUp(
            question="What does a beam of 4 cost in time and in memory of the cache, against greedy search?",
            rubric=(
                "four times the rows in each step, and four times the self-attention's keys and values",
                "the memory's keys and values are the same for all beams of a sentence and need no copy",
                "names the copying of the cache at each reordering as a cost of its own",
            ),
        ),
    ),
)
