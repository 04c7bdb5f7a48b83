"""16, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="16",
    name="training",
    title="Train until it works",
    paper="section 5.3",
    minutes=35,
    difficulty=3,
    interview=False,
    seconds=60,
    hints=(
        "The order: train mode, gradients to zero, backward for each micro-batch, clip, set the rate, step.",
        "backward() adds to the gradients that are there. So zero them once per update, and not between micro-batches.",
        "loss() is a mean over the real tokens of one micro-batch. To make every token count the same, multiply it by"
        " that micro-batch's real tokens and divide by the real tokens of all together.",
        "clip_grad_norm_(model.parameters(), clip_norm) looks at all gradients together, so it comes after the last"
        " backward, and it changes them, so it comes before the step.",
        'for group in optimizer.param_groups: group["lr"] = rate, before optimizer.step().',
    ),
    explanation=(
        "An update is the same from one large batch and from many small ones if every real token counts the same. A"
        " mean of means gives a short micro-batch more weight, and nothing crashes: only the parameters tell. That is"
        " why this exercise compares parameters after three steps. Gradients add up, which accumulation needs and a"
        " forgotten zero_grad turns into a running sum of all steps so far. A validation leaves the model in eval"
        " mode, so train mode is set at each step. And clipping bounds the length of the whole gradient, once,"
        " right before it is used: a batch with a wild loss then moves the weights no further than any other."
    ),
    follow_ups=(
        FollowUp(
            question="You accumulate over four micro-batches. What must happen once, and what four times?",
            rubric=(
                "forward and backward four times, each loss weighted by its share of the real tokens",
                "zero_grad, clip and step once",
                "the learning rate counts updates, not micro-batches",
            ),
        ),
        FollowUp(
            question="The training loss is perfect and the written text is nonsense. Where do you look first?",
            rubric=(
                "at a leak: the look-ahead mask and the shift, by changing a later target token",
                "at the paths: training and writing must give the same logits for the same prefix",
                "not at the learning rate: an optimizer does not make a perfect loss and useless text",
            ),
        ),
    ),
)
