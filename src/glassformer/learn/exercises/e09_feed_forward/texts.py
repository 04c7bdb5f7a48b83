"""09, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="09",
    name="feed_forward",
    title="Feed-forward layer",
    paper="section 3.3, equation 2",
    minutes=10,
    difficulty=1,
    interview=False,
    hints=(
        "x is (n, t, e) and w1 is (e, f): what shape has x @ weights.w1, and which axis does b1 line up with?",
        "max(0, ...) is relu, or clamp(min=0); it is applied once, to the hidden layer with its bias.",
        "hidden = (x @ w1 + b1).relu(), and then the same once more with w2 and b2, without relu.",
    ),
    explanation=(
        "Attention's answer is a weighted mean of values: between its softmaxes everything is linear. The bend in this"
        " layer lets a token be worked on, not only moved. Without it the two matrices are one, W_1 W_2, and the four"
        " times wider middle is wasted. The same weights serve every position, so the layer knows nothing of order or"
        " company. See it: f(a + b) + f(0) equals f(a) + f(b) for every linear layer with biases, and not for this one."
        " How much stands here: with f = 4 e the two matrices hold 8 e^2 numbers, the four of attention 4 e^2."
    ),
    follow_ups=(
        FollowUp(
            question="Why is the hidden layer wider than the model, and what does that cost?",
            rubric=(
                "each hidden unit is one cut through the space of tokens; more of them describe more shapes",
                "8 e^2 parameters with f = 4 e, twice the attention's 4 e^2",
                "for short sentences most of the arithmetic is here: it grows with t, the attention's scores with t^2",
            ),
        ),
        FollowUp(
            question="What changes with a gated layer such as SwiGLU?",
            rubric=(
                "a third matrix: silu(x W) times (x V), element by element, before the last product",
                "f is made smaller, often 2/3 of 4 e, to keep the number of parameters",
                "usually without biases",
            ),
        ),
    ),
)
