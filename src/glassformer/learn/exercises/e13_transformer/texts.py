"""13, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="13",
    name="transformer",
    title="The whole Transformer",
    paper="figure 1, sections 3.1 and 3.4",
    minutes=30,
    difficulty=3,
    interview=False,
    hints=(
        "shift: two slices along the second axis, trg[:, a:b], each one token shorter than trg.",
        "Make the two masks first: padding_mask for the source, target_mask for the target, each with its own padding.",
        "embed(tokens, words, positions) with positions = sinusoids(length, e): once for the source, once for the"
        " target. The encoder takes the source's mask, dropout 0.0 and training False.",
        "One loop over weights.decoder: x = decoder_layer(x, memory, layer, heads, trg_mask, src_mask). The memory is"
        " the same in each round.",
        "logits = x @ weights.trg_words.T",
    ),
    explanation=(
        "The shift is the whole trick of training: all positions of a sentence are asked at once, each for its next"
        " token, and the look-ahead mask keeps every answer out of its question's sight. Without the shift the model"
        " copies, without the mask it peeks, and both look perfect until it has to write by itself. So look at the"
        " ids: print trg, trg_in and asked below each other. And change a later target token: no earlier logits may"
        " move. One table at both ends of the decoder saves parameters; its rows are word vectors, and a logit is the"
        " dot product of an answer with one of them. A fresh model knows nothing: its loss should be near ln v."
    ),
    follow_ups=(
        FollowUp(
            question="The last column of trg_in is often padding and not </s>. Is the shift wrong for short sentences?",
            rubric=(
                "in a short sentence </s> stays among the inputs and is asked for padding there",
                "the loss does not count positions that are asked for padding",
                "</s> itself is still asked for, one position earlier",
            ),
        ),
        FollowUp(
            question="What does sharing the target's word table with the output layer change?",
            rubric=(
                "v x e parameters less, often a large part of a small model",
                "the gradient of a word's row comes from both ends",
                "one initial scale must serve both: sqrt(e) on the way in, and a first loss near ln v on the way out",
            ),
        ),
        FollowUp(
            question="In training all positions are computed at once. What of this is different when writing?",
            rubric=(
                "each token depends on the one before, so the steps follow each other",
                "the memory is computed once, the decoder once a step",
                "the same masks and positions must be used in both: their logits have to be equal",
            ),
        ),
    ),
)
