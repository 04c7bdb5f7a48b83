"""12, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="12",
    name="decoder_layer",
    title="Decoder layer",
    paper="section 3.1, right",
    minutes=25,
    difficulty=3,
    interview=False,
    hints=(
        "Three times post_norm, each with the branch and the norm that belong together. Draw figure 1's right box.",
        "multi_head(query, key, ...) has two sides: in the self-attention both are x, in the cross-attention the query"
        " is x and the key is the memory.",
        "A mask is (n, h, q, k). The self-attention has t queries and t keys, the cross-attention t queries and s keys:"
        " which mask fits which?",
        "x = post_norm(x, lambda y: multi_head(y, memory, weights.cross_attention, heads, src_mask), norm) is the"
        " middle one, with norm = lambda y: layer_norm(y, *weights.cross_attention_norm, EPS).",
    ),
    explanation=(
        "The decoder layer is the encoder layer with one part between: each target word asks the source. The queries"
        " come from what is being written, keys and values from the memory, so the answer has t rows whatever s is,"
        " and the memory can be computed once for the whole sentence. The two masks guard different things: trg_mask"
        " keeps the future from the past, src_mask keeps source padding out. Always test with t other than s: most"
        " mistakes here are silent only where both are equal. The picture of who hears whom, a derivative of each"
        " answer for each input, shows them all."
    ),
    follow_ups=(
        FollowUp(
            question="Which mask does the cross-attention need, and why no look-ahead?",
            rubric=(
                "the source's padding mask, (n, 1, 1, s): its key axis is the source",
                "the whole source is known before the first word is written, so nothing in it is the future",
                "target padding needs no mask there: those rows are dropped by the loss",
            ),
        ),
        FollowUp(
            question="While writing word by word, what of this layer can be kept from step to step?",
            rubric=(
                "the cross-attention's keys and values: the memory never changes",
                "the self-attention's keys and values of earlier words; one row is added each step",
                "not the queries: each is used once",
            ),
        ),
    ),
)
