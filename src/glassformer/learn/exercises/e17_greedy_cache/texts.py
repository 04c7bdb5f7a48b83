"""17, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="17",
    name="greedy_cache",
    title="Greedy decoding with a cache",
    paper="section 3, one symbol at a time",
    minutes=60,
    difficulty=4,
    interview=True,
    seconds=20,
    hints=(
        "Write it without a cache first: all tokens so far go in, the last row of logits comes out. That is what every"
        " later version must answer too, so keep it for comparison.",
        "Per layer, keep four tensors: keys and values of the tokens so far (n k h d), keys and values of the memory."
        " A tuple of them for each layer is a cache; its length L is the size of axis 1 of the keys.",
        "Positions: sinusoids(L + t, e)[L:]. Mask: the last t rows of a lower triangle of size L + t.",
        "Queries come from the new tokens alone; keys and values are torch.cat([kept, new], dim=1), a new tensor, so"
        " that the old cache stays as it was.",
        "In cross-attention take the memory's keys and values out of the cache where there is one, else project"
        " `memory`. The rest of the layer is exercise 12.",
        "greedy: new = start, cache = None; then logits, cache = step(new, cache); the next token is"
        " logits[:, -1].argmax(dim=-1). Append it to the answers that have no end_id yet.",
    ),
    explanation=(
        "Without a cache, step t reads t tokens, so an answer of T tokens costs T^2 / 2 passes through every layer."
        " With it each token passes once, and only its queries meet all keys. This is right because of the look-ahead"
        " mask: no later token can change what an earlier one looked like, in any layer. The price is memory, counted"
        " in exercise 20. What breaks is nearly always one of three: the place of the new token, the mask when several"
        " come at once, or who owns the cache. So compare with one full pass, in float64, for single tokens and for"
        " chunks, and look for the first step that differs."
    ),
    follow_ups=(
        FollowUp(
            question="Why are keys and values kept, and not queries?",
            rubric=(
                "a query is used once, by the token that asks; its answer never changes afterwards",
                "each later token asks all earlier keys and mixes all earlier values",
                "says that this needs a look-ahead mask, so an encoder cannot do it",
            ),
        ),
        FollowUp(
            question="How do you prove that a cache is right?",
            rubric=(
                "logits of steps and chunks equal one full pass, in float64, at every step",
                "a batch with padding, so that positions and masks are tested",
                "chunks as well as single tokens: one-token steps cannot show a missing mask",
            ),
        ),
        FollowUp(
            question="Which part of a decoding step does the cache leave slow, and what helps?",
            rubric=(
                "all weights are read for one token: memory bandwidth, not arithmetic, sets the time",
                "larger batches, fewer bytes a weight, or several tokens checked at once",
                "the cache itself grows with the length and is read whole in each step",
            ),
        ),
    ),
)
