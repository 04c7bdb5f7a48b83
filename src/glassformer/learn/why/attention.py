"""Queries, keys, values, heads: the axes, the projections and the scale."""

from glassformer.learn.why.confusion import Compare, Confusion

CONFUSIONS = (
    Confusion(
        number=6,
        slug="heads",
        theme="attention",
        question="Merging heads: why transpose, when a view gives the same shape?",
        given="""
# (n, heads, words, head_dim); 12 is what head 1 found for word 2
head_1, head_2 = [[11, 11], [12, 12], [13, 13]], [[21, 21], [22, 22], [23, 23]]
heads_out = torch.tensor([[head_1, head_2]])
""",
        wrong="""
def merge(heads_out):
    return heads_out.reshape(1, heads_out.size(2), -1)
""",
        right="""
def merge(heads_out):
    return heads_out.transpose(1, 2).reshape(1, heads_out.size(2), -1)
""",
        then="""
words = ["word 1", "word 2", "word 3"]
foreign = (merge(heads_out)[0] % 10 != torch.tensor([[1], [2], [3]])).sum(dim=1)
""",
        compare=(
            Compare("out", "merge(heads_out)[0]", rows="words"),
            Compare("numbers of other words in a row", "foreign", rows="words"),
            Compare("with one head", "merge(heads_out[:, :1])[0]", same=True, rows="words"),
            Compare("with one word", "merge(heads_out[:, :, :1])[0]", same=True, rows="words[:1]"),
        ),
        changes="A view keeps the order in memory, head by head: rows get other words' numbers, word 1 those of the "
        "words after it, past every look-ahead mask.",
        harmless="With one head, or one word at a time: training reads the future, while a decoder that writes a word "
        "a step with a cache merges rightly.",
        truth="Bring the axes that are merged together side by side first: (n, h, q, d) to (n, q, h, d), then to (n, "
        "q, e). The einsum that ends in nqhd leaves them so. Change one head: only its slice of out may move.",
        threads=(
            "jsbaan/transformer-from-scratch#6",
            "ajhalthor/Transformer-Neural-Network#4",
            "hackiey/QAnet#2",
            "reczoo/FuxiCTR#30",
            "gazelle93/Transformer-Various-Positional-Encoding#1",
            "649453932/Chinese-Text-Classification#10",
            "harvardnlp/annotated-transformer#17",
            "jadore801120/attention-is-all-you-need-pytorch#177",
        ),
        exercise="05",
        paper="section 3.2.2",
    ),
    Confusion(
        number=7,
        slug="folded-heads",
        theme="attention",
        question="Heads are folded into the batch. How must the mask be repeated?",
        given="""
src = torch.tensor([[5, 6, 7], [8, 0, 0]])
words = (src != 0).unsqueeze(1)  # (n, 1, k)
x = torch.randn(2, 2, 3, 2)  # (n, h, k, d)
folded = x.flatten(0, 1)  # (n x h, k, d)
rows = [f"sentence {n}, head {h}" for n in (1, 2) for h in (1, 2)]
""",
        wrong="repeated = words.repeat(2, 1, 1)",
        right="repeated = words.repeat_interleave(2, dim=0)",
        then="""
together = F.scaled_dot_product_attention(folded, folded, folded, attn_mask=repeated)
alone = F.scaled_dot_product_attention(x[1], x[1], x[1], attn_mask=words[1])
""",
        compare=(
            Compare("the mask of each row", "repeated[:, 0]", rows="rows"),
            Compare("sentence 2 in the batch, less sentence 2 alone", "(together[2:] - alone).abs().max()"),
            Compare("a batch of sentence 1 alone", "repeated[:1, 0]", same=True),
        ),
        changes="repeat gives masks 1 2 1 2, the rows are 1 1 2 2: head 2 of sentence 1 gets the mask of sentence 2, "
        "and the other way round.",
        harmless="For one sentence, or sentences of one length: all masks are then equal.",
        truth="Folded axes count like digits: with (n, h) the sentence changes slowest, and each mask is repeated in "
        "place. A mask (n, 1, 1, k) that broadcasts over heads needs no order at all. A batch must equal each "
        "sentence alone.",
        threads=("lsdefine/attention-is-all-you-need-keras#36",),
        exercise="05",
        paper="section 3.2.2",
    ),
    Confusion(
        number=8,
        slug="projection",
        theme="attention",
        question="The model learns. Can a projection be skipped by a slip all the same?",
        given="""
to_queries, to_keys = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
x, start = torch.randn(6, 8), to_queries.weight.clone()
next_one = torch.tensor([1, 2, 3, 4, 5, 0])  # each position shall find the next
""",
        wrong="""
def queries():
    projected = to_queries(x)
    return x  # the other name was meant
""",
        right="""
def queries():
    projected = to_queries(x)
    return projected
""",
        then="""
losses = []
for step in range(40):
    losses.append(F.cross_entropy(queries() @ to_keys(x).T / math.sqrt(8), next_one))
    losses[-1].backward()
    for weight in (to_queries.weight, to_keys.weight):
        gradient = 0 if weight.grad is None else weight.grad
        weight.data, weight.grad = weight.data - 0.5 * gradient, None
""",
        compare=(
            Compare("loss, before and after 40 steps", "f'{losses[0]:.1f}, then {losses[-1]:.1f}'"),
            Compare("to_queries has moved by", "(to_queries.weight - start).abs().max()"),
        ),
        changes="to_queries gets no gradient and stays as it was at the start, for ever.",
        harmless="For the curve: the loss falls on both sides, since one trained projection can learn much of what "
        "the product of two can.",
        truth="A name in the wrong place is silent. After one backward pass every parameter must have a gradient, "
        "neither None nor all 0.",
        threads=(
            "Khaliladib11/Transformer-from-scratch#1",
            "Khaliladib11/Transformer-from-scratch#2",
            "Sea-Snell/grokking#7",
        ),
        seen="a public fork of aladdinpersson/Machine-Learning-Collection",
        exercise="05",
        paper="section 3.2.2",
    ),
    Confusion(
        number=9,
        slug="scale",
        theme="attention",
        question="Scores are divided by the root of what: embed_size or head_dim?",
        given="""
embed_size, heads = 512, 8
queries, keys = torch.randn(2, heads, 50, embed_size // heads)  # head_dim is 64
products = queries @ keys.transpose(1, 2)
""",
        wrong="""
divisors = {"nothing": 1, "sqrt(embed_size)": math.sqrt(512), "embed_size": 512}
""",
        right="""
divisors = {"sqrt(head_dim)": math.sqrt(64)}
""",
        then="""
energies = {name: products / divisor for name, divisor in divisors.items()}
stds = {name: energy.std() for name, energy in energies.items()}
def largest(energy):
    return energy.softmax(dim=-1).amax(dim=-1).mean()
grown = math.sqrt(8) * products / math.sqrt(512)  # sqrt(heads) x the queries
""",
        compare=(
            Compare("std of the energies", "stds"),
            Compare("largest of 50 weights, on average", "{name: largest(energies[name]) for name in energies}"),
            Compare("queries sqrt(heads) times as large, over sqrt(embed_size)", "grown.std()", same=True),
        ),
        changes="Undivided, the softmax picks one word from the start. Divided too much, every word gets nearly the "
        "fiftieth part: attention is an average.",
        harmless="A constant can be learnt away by projections that grow: no curve need show it. With one head, "
        "sqrt(embed_size) is right.",
        truth="A product of two vectors of d random numbers with variance 1 has std sqrt(d), and d is head_dim. "
        "Embeddings are multiplied by sqrt(embed_size): that is another scale, in another place (section 3.4).",
        threads=(
            "aladdinpersson/Machine-Learning-Collection#30",
            "Kyubyong/transformer#60",
            "ethen8181/machine-learning#13",
            "pytorch/tutorials#2849",
            "allenai/allennlp#3473",
        ),
        exercise="02",
        paper="section 3.2.1",
    ),
    Confusion(
        number=30,
        slug="einsum",
        theme="attention",
        question='What does einsum("nqhd,nkhd->nhqk", queries, keys) do, letter by letter?',
        given="""
queries, keys = torch.randn(2, 1, 3, 2, 4)  # (n, words, heads, head_dim) = (1, 3, 2, 4)
""",
        wrong="energy = queries @ keys.transpose(-2, -1)",
        right='energy = einsum("nqhd,nkhd->nhqk", queries, keys)',
        then="""
by_hand = sum(queries[0, 1, 1, d] * keys[0, 0, 1, d] for d in range(4))
heads_first = queries.transpose(1, 2) @ keys.transpose(1, 2).transpose(-2, -1)
""",
        compare=(
            Compare("shape of energy", "tuple(energy.shape)"),
            Compare("energy[0, 1]", "energy[0, 1]"),
            Compare("energy[0, 1, 1, 0]", "energy[0, 1, 1, 0]"),
            Compare("sum over d by hand: n=0, h=1, q=1, k=0", "by_hand", same=True),
            Compare("`@` with the heads first", "heads_first[0, 1]", same=True),
        ),
        changes="`@` multiplies the last two axes, here heads by head_dim: each word compares its own heads with each "
        "other and never looks at another word.",
        harmless="With the heads before the words, (n, h, q, d), `@` is right: the same numbers as the einsum's.",
        truth="n and h stand in both inputs and in the result: sentence goes with sentence, head with head. d is in "
        "both and not in the result: multiplied and summed. q and k stand in one input each: every query meets every "
        "key.",
        threads=(),
        seen="the origin's table of beginner confusions",
        exercise="05",
        paper="section 3.2.1",
    ),
    Confusion(
        number=33,
        slug="batch-first",
        theme="attention",
        question="Which axis is first, the sentence or the word?",
        given="""
sizes = dict(d_model=8, nhead=2, dim_feedforward=16, dropout=0)
x = torch.randn(2, 3, 8)  # 2 sentences of 3 words
other = torch.stack([x[0], -x[1]])  # the same first sentence
words = ["word 1", "word 2", "word 3"]
""",
        wrong="""
layer = nn.TransformerEncoderLayer(**sizes)
def words_first(x):
    return layer(x.transpose(0, 1)).transpose(0, 1)
""",
        right="""
layer = nn.TransformerEncoderLayer(**sizes, batch_first=True)
def words_first(x):
    return layer(x)
""",
        then="moved = (layer(other) - layer(x))[0].abs().amax(dim=1)",
        compare=(
            Compare("shape of the output", "tuple(layer(x).shape)", same=True),
            Compare("how far sentence 1 moves when sentence 2 becomes another", "moved", rows="words"),
            Compare("what the layer expects given to it", "words_first(x)[0, 0, :4]", same=True),
        ),
        changes="torch's layers read (words, sentences, channels) unless told otherwise: word 1 of one sentence "
        "attends to word 1 of the other, and the shape that comes out is right.",
        harmless="Where the input is turned to what the layer expects, both give the same numbers.",
        truth="Here everything is batch first: (N, len, embed_size). A model that takes the wrong axis for words runs "
        "without an error: change one sentence of a batch and see that no other moves.",
        threads=(),
        seen="the origin's table of beginner confusions",
        exercise="05",
        paper="section 3.2.2",
    ),
)
