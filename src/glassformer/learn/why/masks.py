"""Who may look at whom: polarity, axes, and rows with nobody left to look at."""

from glassformer.learn.why.confusion import Compare, Confusion

CONFUSIONS = (
    Confusion(
        number=1,
        slug="pad-rows",
        theme="masks",
        question="Padding is hidden as a key. Should its rows, the queries, be hidden too?",
        given="""
from glassformer.model.masks import padding_mask
words = ["I", "sleep", "<pad>"]
src = torch.tensor([[5, 6, 0]])
energy = torch.randn(1, 1, 3, 3)
columns = padding_mask(src, 0)
""",
        wrong="mask = columns & columns.transpose(2, 3)  # and the rows",
        right="mask = columns",
        then="weights = energy.masked_fill(~mask, -math.inf).softmax(dim=-1)[0, 0]",
        compare=(
            Compare("row asks, column answers", "mask[0, 0].expand(3, 3)", rows="words", columns="words"),
            Compare("weights of the words", "weights[:2]", same=True, rows="words[:2]"),
            Compare("weights of <pad>", "weights[2:]", rows="words[2:]"),
        ),
        changes="The row of <pad> has no key left, and a softmax over nothing is NaN. No word's row changes.",
        harmless="The words have the same weights either way. What <pad> reads is read by nobody: its column is "
        "closed in every row.",
        truth="Hide the columns of padding and leave its rows alone: (N, 1, 1, key_len). A row that nobody reads may "
        "hold anything, but not NaN, and hiding rows makes rows without a key.",
        threads=(
            "harvardnlp/annotated-transformer#37",
            "harvardnlp/annotated-transformer#137",
            "bentrevett/pytorch-seq2seq#118",
            "hyunwoongko/transformer#1",
            "pytorch/pytorch#41508",
        ),
        exercise="03",
        paper="section 5.1 (padding itself is not described)",
    ),
    Confusion(
        number=2,
        slug="pad-axis",
        theme="masks",
        question="Is the padding mask (N, 1, 1, T) or (N, 1, T, 1)?",
        given="""
from glassformer.model.attention import attention
words = ["I", "sleep", "<pad>"]
src = torch.tensor([[5, 6, 0]])
queries, keys, values = torch.randn(3, 1, 3, 1, 2)
other = values.clone()
other[0, 2] += 1  # something else in the padding
""",
        wrong="mask = (src != 0).unsqueeze(1).unsqueeze(3).expand(1, 1, 3, 3)",
        right="mask = (src != 0).unsqueeze(1).unsqueeze(2).expand(1, 1, 3, 3)",
        then="""
moved = attention(queries, keys, other, mask) - attention(queries, keys, values, mask)
""",
        compare=(
            Compare("row asks, column answers", "mask[0, 0]", rows="words", columns="words"),
            Compare("how far each output moves when the padding's value moves by 1", "moved[0, :, 0]", rows="words"),
        ),
        changes="On the query axis the mask closes the row of <pad> and leaves its column open: every word reads it.",
        harmless="For the output of <pad> itself, which moves on neither side, and which nobody reads.",
        truth="The last axis of a mask is the key axis, and padding must not answer: (N, 1, 1, key_len). Both shapes "
        "broadcast without an error, so move the padding and see that no word's output moves.",
        threads=("bentrevett/pytorch-seq2seq#73",),
        seen="hyunwoongko/transformer, make_trg_mask",
        exercise="03",
        paper="section 5.1 (padding itself is not described)",
    ),
    Confusion(
        number=3,
        slug="nan",
        theme="masks",
        question="Why is the loss NaN as soon as one row of a mask is all closed?",
        given="""
src = torch.tensor([[5, 6], [0, 0]])  # the second sentence is empty
mask = (src != 0)[:, None, None]
energy, lowest = torch.randn(2, 1, 2, 2), torch.finfo(torch.float32).min
to_values = nn.Linear(2, 2, bias=False)
""",
        wrong="weights = energy.masked_fill(~mask, -math.inf).softmax(dim=-1)",
        right="weights = energy.masked_fill(~mask, lowest).softmax(dim=-1).masked_fill(~mask, 0)",
        then="""
out = einsum("nhqk,nke->nqe", weights, to_values(torch.randn(2, 2, 2)))
out[0].square().sum().backward()  # the loss leaves the empty sentence out
""",
        compare=(
            Compare("weights, first sentence", "weights[0, 0]", same=True),
            Compare("weights, empty sentence", "weights[1, 0]"),
            Compare("gradient of to_values", "to_values.weight.grad"),
        ),
        changes="exp(-inf) is 0 in every cell and 0/0 is NaN. The loss never reads that row, and the gradient of the "
        "shared weights is NaN all the same, because 0 x NaN is NaN: after one step every sentence is lost.",
        harmless="The sentences with at least one key are right: their weights are the same.",
        truth="Fill with the lowest finite number and set the closed weights to 0 after the softmax: a query with no "
        "key then gets nothing, gradients included. An empty source is better refused when the batch is made.",
        threads=(
            "pytorch/pytorch#41508",
            "pytorch/pytorch#26098",
            "pytorch/pytorch#40932",
            "pytorch/pytorch#119371",
            "pytorch/pytorch#152028",
            "pytorch/pytorch#160064",
            "pytorch/pytorch#42323",
            "pytorch/pytorch#189045",
            "pytorch/pytorch#196170",
        ),
        exercise="04",
        paper="section 3.2.3",
    ),
    Confusion(
        number=4,
        slug="polarity",
        theme="masks",
        question="Does True in a mask mean keep or ignore?",
        given="""
words = ["<s>", "I", "sleep"]
may_attend = torch.ones(3, 3).tril().bool()
added = torch.zeros(3, 3).masked_fill(~may_attend, -math.inf)
x, layer = torch.randn(1, 3, 4), nn.MultiheadAttention(4, 1, batch_first=True)
""",
        wrong="_, weights = layer(x, x, x, attn_mask=may_attend)",
        right="_, weights = layer(x, x, x, attn_mask=~may_attend)  # here True means hide",
        then="_, by_sum = layer(x, x, x, attn_mask=added)",
        compare=(
            Compare("attention weights", "weights[0]", rows="words", columns="words"),
            Compare("keys that each row sees", "(weights[0] > 0).sum(dim=1)", rows="words"),
            Compare("with a float mask of 0 and -inf", "by_sum[0]", same=True, rows="words"),
        ),
        changes="Upside down, every row sees the future and not itself, and the last row sees nothing: NaN.",
        harmless="A float mask is added to the energies: 0 and -inf leave no room for the question.",
        truth="nn.MultiheadAttention and nn.Transformer hide where a mask is True; scaled_dot_product_attention and "
        "Glassformer attend there. Count the keys that each row sees: a look-ahead mask gives 1, 2, 3.",
        threads=(
            "pytorch/pytorch#120488",
            "pytorch/pytorch#120668",
            "pytorch/pytorch#170415",
            "lucidrains/x-transformers#164",
            "rasbt/LLMs-from-scratch#1061",
        ),
        exercise="03",
        paper="section 3.2.3",
    ),
    Confusion(
        number=5,
        slug="inverted",
        theme="masks",
        question="Training went well. Why is decoding, with a mask of its own, nonsense?",
        given="""
words, model = ["<s>", "I", "sleep"], small_model()
src, trg = torch.tensor([[5, 6, 2]]), torch.tensor([[1, 7, 8]])
other = torch.tensor([[1, 9, 8]])  # another word than I
memory, src_mask = model.encode(src), model.make_src_mask(src)
""",
        wrong="mask = torch.ones(3, 3).triu(diagonal=1).bool()  # 1 where the future is",
        right="mask = torch.ones(3, 3).triu(diagonal=1) == 0",
        then="""
def decode(trg):
    return model.decoder(trg, memory, mask[None, None], src_mask)
moved = (decode(other) - decode(trg))[0].abs().amax(dim=1)
in_training = F.cross_entropy(model(src, trg)[0], torch.tensor([7, 8, 2]))
""",
        compare=(
            Compare("row asks, column answers", "mask", rows="words", columns="words"),
            Compare("<s> moves when I becomes another word", "moved[0]"),
            Compare("loss in training", "in_training", same=True),
        ),
        changes="Position 0 depends on the word after it, and the newest word, whose row is read to go on, sees no "
        "word at all.",
        harmless="In training, where make_trg_mask makes the mask: the loss is the same, so no curve shows the fault.",
        truth="Let one function make the mask for training and for decoding. Change a later word in both paths: no "
        "earlier position may move.",
        threads=("hkproj/pytorch-transformer#19",),
        exercise="03",
        paper="section 3.2.3",
    ),
    Confusion(
        number=22,
        slug="four-masks",
        theme="masks",
        question="nn.Transformer takes so many masks. Which one did I forget?",
        given="""
model = nn.Transformer(8, 2, 1, 1, 16, dropout=0, batch_first=True)
src, trg = torch.randn(1, 4, 8), torch.randn(1, 3, 8)
padding = torch.tensor([[False, False, True, True]])  # True = hide
other = torch.where(padding.unsqueeze(2), -src, src)  # something else in the padding
future = torch.ones(3, 3).triu(diagonal=1).bool()
""",
        wrong="""
def masks(hide):
    return dict(tgt_mask=future, src_key_padding_mask=hide)
""",
        right="""
def masks(hide):
    return dict(tgt_mask=future, src_key_padding_mask=hide, memory_key_padding_mask=hide)
""",
        then="""
moved = model(other, trg, **masks(padding)) - model(src, trg, **masks(padding))
unpadded = model(src, trg, **masks(torch.zeros(1, 4).bool()))
""",
        compare=(
            Compare("the masks", "{name: tuple(mask.shape) for name, mask in masks(padding).items()}"),
            Compare("the answer moves when the padding moves", "moved.abs().max()"),
            Compare("an answer without padding", "unpadded[0, 0, :4]", same=True),
        ),
        changes="The encoder hides the padding from itself and then hands it over: without its own mask the decoder's "
        "cross-attention reads it.",
        harmless="Without padding in the batch: then the forgotten mask would hide nothing.",
        truth="tgt_mask is (T, T) and hides the future; the two for the source are (N, S) and hide padding in the "
        "encoder and in cross-attention. All mean hide where True. Move the padding: no answer may move.",
        threads=(
            "pytorch/pytorch#39439",
            "pytorch/pytorch#25132",
            "pytorch/examples#784",
            "pytorch/pytorch.github.io#978",
            "SamLynnEvans/Transformer#28",
        ),
        exercise="12",
        paper="section 3.2.3",
    ),
    Confusion(
        number=24,
        slug="cross-mask",
        theme="masks",
        question="Which mask goes into cross-attention: the source's or the target's?",
        given="""
from glassformer.model.masks import padding_mask, target_mask
source, target = ["je", "dors", "<pad>", "<pad>"], ["<s>", "I", "sleep", "well"]
src, full = torch.tensor([[5, 6, 0, 0]]), torch.tensor([[5, 6, 3, 4]])
model, trg = small_model(), torch.tensor([[1, 7, 8, 9]])
memory = model.encode(src)
padding_moved = torch.where((src == 0).unsqueeze(2), -memory, memory)
""",
        wrong="""
def cross_mask(src):
    return padding_mask(trg, 0)
""",
        right="""
def cross_mask(src):
    return padding_mask(src, 0)
""",
        then="""
def decode(src, memory):
    return model.decoder(trg, memory, target_mask(trg, 0, 4), cross_mask(src))
moved = decode(src, padding_moved) - decode(src, memory)
""",
        compare=(
            Compare(
                "target asks, source answers", "cross_mask(src)[0, 0].expand(4, 4)", rows="target", columns="source"
            ),
            Compare("the output moves when the source's padding moves", "moved.abs().max()"),
            Compare("a source without padding", "decode(full, model.encode(full))[0, 0, :4]", same=True),
        ),
        changes="The target's mask knows nothing of the source: every target word reads the source's padding.",
        harmless="Where no sentence of the batch has padding: all cells are open in both.",
        truth="In cross-attention the keys are the source, so the mask is the source's. With four words on each side "
        "nothing complains: test with lengths that differ.",
        threads=("pengshuang/Transformer#7", "keras-team/keras-io#1046", "guomics-lab/MassNet-DDA#4"),
        exercise="12",
        paper="section 3.2.3",
    ),
    Confusion(
        number=31,
        slug="two-masks",
        theme="masks",
        question="Look-ahead mask and padding mask: does a target need both?",
        given="""
from glassformer.model.masks import look_ahead_mask, padding_mask
right, after = ["<s>", "I", "sleep", "<pad>"], torch.tensor([[1, 7, 8, 0]])
left, before = ["<pad>", "<s>", "I", "sleep"], torch.tensor([[0, 1, 7, 8]])
""",
        wrong="""
def mask(trg):
    return look_ahead_mask(4, 4, trg.device)[0, 0]
""",
        right="""
def mask(trg):
    return (look_ahead_mask(4, 4, trg.device) & padding_mask(trg, 0))[0, 0]
""",
        compare=(
            Compare("padding on the left", "mask(before)", rows="left", columns="left"),
            Compare(
                "padding on the right: the words' rows", "mask(after)[:3]", same=True, rows="right[:3]", columns="right"
            ),
        ),
        changes="On the left, padding is in the past of every word: the look-ahead mask alone lets each word read it.",
        harmless="On the right, where targets are usually filled up: padding is in the future of every word, so the "
        "look-ahead mask hides it already.",
        truth="Look-ahead depends on the order alone and is the same for every sentence, (1, 1, T, T); padding "
        "depends on the sentence and is the same for every row, (N, 1, 1, T). The decoder's mask is both: open where "
        "both are.",
        threads=(),
        seen="the origin's table of beginner confusions",
        exercise="03",
        paper="section 3.2.3",
    ),
)
