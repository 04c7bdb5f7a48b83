"""Positions, norms, embeddings and modes: what surrounds attention."""

from glassformer.learn.why.confusion import Compare, Confusion

CONFUSIONS = (
    Confusion(
        number=15,
        slug="norm-place",
        theme="layers",
        question="The figure shows add & norm, the code norms first. Which is right?",
        given="""
sizes = dict(embed_size=32, num_layers=6, heads=4, positions="sinusoidal")
src, trg = torch.randint(3, 50, (2, 4, 10))
post = Transformer(50, 50, 0, 0, **sizes, norm="post")
torch.manual_seed(0)
""",
        wrong="""
model = Transformer(50, 50, 0, 0, **sizes, norm="pre", final_norms=False)
""",
        right="""
model = Transformer(50, 50, 0, 0, **sizes, norm="pre")  # a norm after each stack
""",
        then="""
def spread(model):
    return model.decode(trg, model.encode(src), model.make_src_mask(src)).std()
""",
        compare=(
            Compare("std of what the output layer reads", "spread(model)"),
            Compare("the same with post-norm, as in the figure", "spread(post)", same=True),
        ),
        changes="Each sublayer adds to the stream, and pre-norm ends with such a sum: without a last norm the output "
        "layer reads numbers several times too large.",
        harmless="With post-norm: its last step is a norm, so that no further one is needed.",
        truth="Both places are right. The figure and the paper have post-norm, LayerNorm(x + Sublayer(x)); pre-norm, "
        "x + Sublayer(LayerNorm(x)), came later and needs one more norm after each stack.",
        threads=(
            "harvardnlp/annotated-transformer#1",
            "harvardnlp/annotated-transformer#13",
            "harvardnlp/annotated-transformer#92",
            "harvardnlp/annotated-transformer#110",
            "datawhale/happy-llm#71",
            "pytorch/pytorch#61165",
            "facebookresearch/detr#93",
        ),
        exercise="10",
        paper="section 3.1",
    ),
    Confusion(
        number=16,
        slug="layer-norm",
        theme="layers",
        question="My layer norm by hand differs a little from PyTorch's. Does it matter?",
        given="""
eps, x = 1e-5, torch.tensor([[1.0, 2.0, 3.0, 6.0], [5.0, 5.0, 5.0, 5.004]])
""",
        wrong="""
def norm(x):
    return (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + eps)
""",
        right="""
def norm(x):
    variance = x.var(-1, keepdim=True, unbiased=False)
    return (x - x.mean(-1, keepdim=True)) / (variance + eps).sqrt()
""",
        then="""
def off(width):
    x = torch.randn(100, width)
    return (norm(x) / F.layer_norm(x, (width,), eps=eps) - 1).abs().mean()
""",
        compare=(
            Compare("norm(x)", "norm(x)"),
            Compare(
                "off F.layer_norm by, on average",
                "{f'{width} channels': f'{off(width):.2%}' for width in (8, 64, 512)}",
            ),
        ),
        changes="x.std divides by e - 1 and not by e, the channels of a row: all results are too small. An eps outside "
        "the root weighs differently where a row hardly varies.",
        harmless="In wide layers: at 512 channels the two are a thousandth apart, where the row varies at all.",
        truth="The variance divides by e, and eps is inside the root: sqrt(variance + eps). Compare with F.layer_norm "
        "on few channels, and on a row that hardly varies, where the two faults are large.",
        threads=(
            "harvardnlp/annotated-transformer#122",
            "harvardnlp/annotated-transformer#119",
            "hyunwoongko/transformer#7",
            "hkproj/pytorch-transformer#31",
            "codertimo/BERT-pytorch#30",
        ),
        exercise="08",
        paper="section 3.1",
    ),
    Confusion(
        number=23,
        slug="no-grad",
        theme="layers",
        question="Why do the same weights give another output under torch.no_grad()?",
        given="""
layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0, batch_first=True)
encoder = nn.TransformerEncoder(layer, 1).eval()
x, padding = torch.randn(2, 4, 8), torch.tensor([[0, 0, 0, 1], [0, 0, 1, 1]]).bool()
with_grad = encoder(x, src_key_padding_mask=padding)
with torch.no_grad():
    without = encoder(x, src_key_padding_mask=padding)  # another, faster path
""",
        wrong="""
def average(out):
    return out.mean(dim=1)
""",
        right="""
def average(out):
    words = ~padding[:, : out.size(1), None]
    return (out * words).sum(dim=1) / words.sum(dim=1)
""",
        compare=(
            Compare("a channel at two words, with gradients", "with_grad[1, :2, 0]", same=True),
            Compare("and without", "without[1, :2, 0]", same=True),
            Compare("the channel at padding, with gradients", "with_grad[1, 2:, 0]", same=True),
            Compare("and without", "without[1, 2:, 0]", same=True),
            Compare(
                "averages with and without gradients differ by", "(average(with_grad) - average(without)).abs().max()"
            ),
        ),
        changes="The faster path leaves the padding out and writes 0 for it. An average over all positions takes the "
        "padding along, and so depends on whether gradients are kept.",
        harmless="For the words: their outputs are the same with and without gradients.",
        truth="Outputs at padding mean nothing, and nobody promises what they are: keep them out of every average, "
        "maximum and comparison. Compare both modes once, at the words.",
        threads=(
            "pytorch/pytorch#86120",
            "pytorch/pytorch#97111",
            "pytorch/pytorch#106630",
            "pytorch/pytorch#128209",
            "pytorch/pytorch#90534",
        ),
        exercise="11",
        paper="section 5.1 (padding itself is not described)",
    ),
    Confusion(
        number=25,
        slug="too-long",
        theme="layers",
        question="Why does a longer sentence end in an index error?",
        given="""
table = nn.Embedding(4, 8)  # learned positions for four words
model = small_model(max_length=4)
short, long = torch.tensor([[5, 6, 7, 2]]), torch.tensor([[5, 6, 7, 8, 2]])
""",
        wrong="""
def encode(src):
    return table(torch.arange(src.size(1)))
""",
        right="""
def encode(src):
    return model.encode(src)
""",
        then="""
waves = small_model(positions="sinusoidal", max_length=1000).encode(long)
""",
        compare=(
            Compare("four words", "error_of(lambda: encode(short))", same=True),
            Compare("five words", "error_of(lambda: encode(long))"),
            Compare("shape with sinusoids and max_length=1000", "tuple(waves.shape)", same=True),
        ),
        changes="A table of 4 positions has no row for a fifth word. The error of the lookup names neither the "
        "sentence nor the limit.",
        harmless="Up to max_length words there is nothing to see; and sinusoids are computed, so their limit costs "
        "nothing and may be as large as you like.",
        truth="A learned position exists only up to max_length. Check the length before the lookup and say which "
        "sentence, how long, and what the limit is.",
        threads=(
            "bentrevett/pytorch-seq2seq#69",
            "bentrevett/pytorch-seq2seq#89",
            "bentrevett/pytorch-seq2seq#57",
            "asyml/texar#174",
            "facebookresearch/esm#49",
            "CUNY-CL/yoyodyne#40",
            "huggingface/transformers#125",
        ),
        exercise="06",
        paper="section 3.5",
    ),
    Confusion(
        number=26,
        slug="tied-embeddings",
        theme="layers",
        question="I tied the embeddings. Why does the loss begin at 100 and more?",
        given="""
sizes = dict(embed_size=256, num_layers=1, positions="sinusoidal")
model = Transformer(1000, 1000, 0, 0, **sizes, tie_embeddings="two-way")
src, trg, labels = torch.randint(3, 1000, (3, 4, 8))
""",
        wrong="nn.init.normal_(model.fc_out.weight)  # N(0, 1), as nn.Embedding begins",
        right="nn.init.normal_(model.fc_out.weight, std=0.02)",
        then="""
one_table = model.decoder.word_embedding.weight is model.fc_out.weight
def first_loss(model):
    return F.cross_entropy(model(src, trg).flatten(0, 1), labels.flatten())
untied = Transformer(1000, 1000, 0, 0, **sizes)
nn.init.normal_(untied.decoder.word_embedding.weight)  # N(0, 1) as well
""",
        compare=(
            Compare("one table for both", "str(one_table)", same=True),
            Compare("std of the logits", "model(src, trg).std()"),
            Compare("first loss", "first_loss(model)"),
            Compare("ln(1000), for a guess", "math.log(1000)", same=True),
            Compare("first loss, untied, with a table of N(0, 1)", "first_loss(untied)", same=True),
        ),
        changes="The output layer reads normed vectors of length sqrt(embed_size). Rows of N(0, 1) make logits with a "
        "std near that: confident wrong guesses, and a loss far above ln(v).",
        harmless="Untied tables may begin at N(0, 1), as nn.Embedding does: what matters is the matrix that makes "
        "logits.",
        truth="A tied table is the output layer too, and must begin as small as one, N(0, 0.02^2) here. The first "
        "loss has to be near ln(v): a model that knows nothing should claim nothing.",
        threads=("huggingface/transformers#26441", "NX-AI/xlstm#83", "fastai/fastai#2090"),
        exercise="13",
        paper="section 3.4",
    ),
    Confusion(
        number=34,
        slug="order",
        theme="layers",
        question="Why add positions? The words stand in order already.",
        given="""
dog, bites, man = 5, 6, 7
src, turned = torch.tensor([[dog, bites, man]]), torch.tensor([[man, bites, dog]])
""",
        wrong='model = small_model(positions="none")',
        right='model = small_model(positions="learned")',
        then="""
words = ["dog", "bites", "man"]
back = model.encode(turned)[0].flip(0)  # in the order of src again
moved = (model.encode(src)[0] - back).abs().amax(dim=1)
""",
        compare=(
            Compare('memory of "dog bites man"', "model.encode(src)[0, :, :3]", rows="words"),
            Compare('its words in "man bites dog" differ by', "moved", rows="words"),
        ),
        changes="Without positions the memory of a word is the same wherever it stands: both sentences are one bag of "
        "words.",
        harmless="For a set, whose order means nothing: then the left side is what you want.",
        truth="Attention compares each word with each other and knows no first and no last, so order has to be added: "
        "one vector for each place, learned or made of sines, on top of the word's own.",
        threads=(),
        seen="the origin's README",
        exercise="06",
        paper="section 3.5",
    ),
)
