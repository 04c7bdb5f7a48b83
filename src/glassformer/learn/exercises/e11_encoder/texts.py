"""11, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="11",
    name="encoder",
    title="Encoder",
    paper="section 3.1, left",
    minutes=30,
    difficulty=3,
    interview=False,
    hints=(
        "Write one layer first: two lines, one for each half. Then a loop in which x becomes the layer's answer.",
        "post_norm(x, branch, norm) is given two functions of one argument: what the branch does with x, and the norm.",
        "The attention branch: lambda y: dropout(multi_head(y, y, layer.self_attention, heads, mask), p, training)."
        " Queries and keys both come from y.",
        "The norm: lambda y: layer_norm(y, layer.self_attention_norm.gain, layer.self_attention_norm.bias, EPS)."
        " In a loop, use the functions before the next round changes `layer`.",
        "F.dropout(answer, dropout, training): the third argument decides whether anything is dropped.",
    ),
    explanation=(
        "In a layer the attention is the only place where words meet; the feed-forward layer works on each by itself."
        " The residual sum carries every word through all layers and lets the gradient come back, and the norm keeps"
        " its size the same from layer to layer. Padding must be hidden in each layer: after the first one its vectors"
        " hold numbers like any other. See it: give the same sentence alone and beside a longer one, and compare its"
        " rows. Dropout stands on the branch, so that the path of the sum is never cut."
    ),
    follow_ups=(
        FollowUp(
            question="The encoder has no recurrence. What does a word know of its neighbours after one layer?",
            rubric=(
                "every word can attend to every other in one layer, whatever the distance",
                "without positions the answer does not depend on the order of the words",
                "more layers mix what was already mixed, not a wider window",
            ),
        ),
        FollowUp(
            question="What goes wrong with nn.ModuleList([layer] * 6), and how would you notice?",
            rubric=(
                "it is one module six times: the layers share their weights",
                "the parameter count is that of one layer; the ids of the modules are equal",
                "copy.deepcopy gives separate weights with equal starting values, a comprehension gives new ones",
            ),
        ),
    ),
)
