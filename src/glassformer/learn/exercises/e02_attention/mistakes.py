"""02: the known ways to get it wrong."""

from glassformer.learn.exercise import Mistake

SCALE = "How large does a dot product of two random vectors get when d grows?"

MISTAKES = (
    Mistake(
        name="scale-missing",
        formula="softmax(Q K^T) V",
        question=SCALE,
        symptom="trains like the right one on small tasks; with d = 256 one key takes nearly all the weight",
        look="the line of the dot products: nothing divides them",
        source="Kyubyong/transformer#60",
        suspect=r"einsum|@|matmul|bmm",
    ),
    Mistake(
        name="scale-without-root",
        formula="softmax(Q K^T / d) V",
        question="By what does the spread of a sum of d terms grow?",
        symptom="weights nearly equal, slow learning",
        look="the divisor: d where sqrt(d) belongs",
        source="seen in ethen8181/machine-learning#13",
        suspect=r"/",
    ),
    Mistake(
        name="scale-inverted",
        formula="softmax(Q K^T x sqrt(d)) V",
        question="Are your scores larger or smaller after scaling?",
        symptom="the softmax is saturated from the start",
        look="a product where a quotient belongs",
        source="pytorch/tutorials#2849",
        suspect=r"sqrt|\*\*",
    ),
    Mistake(
        name="scale-sqrt-value-width",
        formula="softmax(Q K^T / sqrt(m)) V",
        question="Which vectors are multiplied with each other?",
        symptom="none while values are as wide as keys",
        look="the size that is rooted comes from the values",
        source="seen in no thread that we know",
        suspect=r"sqrt|\*\*",
    ),
    Mistake(
        name="scale-sqrt-length",
        formula="softmax(Q K^T / sqrt(k)) V",
        question="How many terms does one dot product have?",
        symptom="another temperature for each sentence length",
        look="the size that is rooted is a length",
        source="seen in no thread that we know",
        suspect=r"sqrt|\*\*",
    ),
    Mistake(
        name="softmax-over-queries",
        formula="softmax over the queries",
        question="The weights of which axis should add up to 1?",
        symptom="trained: the next token right 100 %, writing by itself right 4 %",
        look="the dim of the softmax",
        source="tatp22/linformer-pytorch#25",
        suspect=r"softmax",
    ),
    Mistake(
        name="softmax-over-batch",
        formula="softmax over the sentences of the batch",
        question="The weights of which axis should add up to 1?",
        symptom="a sentence's answer depends on its company",
        look="the dim of the softmax",
        source="MorvanZhou/NLP-Tutorials#10",
        suspect=r"softmax",
    ),
    Mistake(
        name="keys-viewed-not-transposed",
        formula="Q (K read as d rows) instead of Q K^T",
        question="What does view do to the order of the numbers?",
        symptom="words are mixed with each other, the future too",
        look="a view or reshape where a transpose belongs",
        source="seen in torch-judge's accepted answers",
        suspect=r"view|reshape",
    ),
    Mistake(
        name="scale-after-softmax",
        formula="softmax(Q K^T) / sqrt(d) V",
        question="What do the weights of one query add up to?",
        symptom="answers are sqrt(d) times too small",
        look="the division comes after the softmax",
        source="FrancescoSaverioZuppichini/ViT#2",
        suspect=r"softmax",
    ),
)
