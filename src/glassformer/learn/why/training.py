"""What the decoder is given, what it is asked for, and what the loss counts."""

from glassformer.learn.why.confusion import Compare, Confusion

CONFUSIONS = (
    Confusion(
        number=10,
        slug="shift",
        theme="training",
        question="Why trg[:, :-1]? The last column is often <pad>, not </s>.",
        given="""
model, src = small_model(), torch.tensor([[5, 6, 7, 2], [5, 8, 2, 0]])
trg = torch.tensor([[1, 5, 6, 7, 2], [1, 5, 8, 2, 0]])
names = ["<pad>", "<s>", "</s>", "", "", "I", "love", "it", "sleep"]
""",
        wrong="trg_in = trg.masked_fill(trg == 2, 0)[:, :-1]  # every </s> taken out by hand",
        right="trg_in = trg[:, :-1]",
        then="""
asked_for = trg[:, 1:]
logits = model(src, trg_in)
loss = F.cross_entropy(logits.flatten(0, 1), asked_for.flatten(), ignore_index=0)
def words(ids):
    return " ".join(names[number] for number in ids)
""",
        compare=(
            Compare("sentence 1 is given", "words(trg_in[0])", same=True),
            Compare("and asked for", "words(asked_for[0])", same=True),
            Compare("sentence 2 is given", "words(trg_in[1])"),
            Compare("and asked for", "words(asked_for[1])", same=True),
            Compare("loss", "loss", same=True),
        ),
        changes="One input of the shorter sentence, </s>, in a column where <pad> is asked for; that is not counted.",
        harmless="Everywhere: the loss is the same, and nothing is gained by taking each </s> out.",
        truth="The input drops the last column, the labels drop the first: trg[:, :-1] is asked for trg[:, 1:]. In a "
        "shorter sentence </s> is read as an input and its label is <pad>, which the loss leaves out.",
        threads=(
            "bentrevett/pytorch-seq2seq#133",
            "bentrevett/pytorch-seq2seq#136",
            "bentrevett/pytorch-seq2seq#182",
            "bentrevett/pytorch-seq2seq#187",
            "jadore801120/attention-is-all-you-need-pytorch#205",
            "kh-kim/simple-nmt#40",
            "joeynmt/joeynmt#208",
            "huggingface/transformers#16940",
        ),
        exercise="13",
        paper="section 3.1",
    ),
    Confusion(
        number=11,
        slug="leak",
        theme="training",
        question="99 % of the words are right in training. Why is decoding nonsense?",
        given="""
from glassformer.model.attention import attention
words, places, fc_out = nn.Embedding(4, 16), nn.Embedding(4, 16), nn.Linear(16, 4)
projections = nn.ModuleList(nn.Linear(16, 16) for _ in range(3))
weights = [w for part in (words, places, fc_out, projections) for w in part.parameters()]
""",
        wrong="mask = torch.ones(4, 4).bool()  # every word sees every word",
        right="mask = torch.ones(4, 4).bool().tril()",
        then="""
for step in range(80):
    trg = torch.randint(4, (64, 5))  # each word by chance: nothing can be predicted
    x = words(trg[:, :-1]) + places.weight
    parts = [project(x).unsqueeze(2) for project in projections]
    logits = fc_out(attention(*parts, mask[None, None]).squeeze(2))
    losses = F.cross_entropy(logits.transpose(1, 2), trg[:, 1:], reduction="none")
    for weight, gradient in zip(weights, torch.autograd.grad(losses.mean(), weights)):
        weight.data -= 0.5 * gradient
accuracy = (logits.argmax(dim=2) == trg[:, 1:])[:, :3].float().mean()
""",
        compare=(
            Compare("accuracy of words 1, 2, 3", "f'{accuracy:.1f}'"),
            Compare("loss of words 1, 2, 3", "' '.join(f'{loss:.1f}' for loss in losses.mean(dim=0)[:3])"),
            Compare("loss of word 4, whose next is not given", "f'{losses[:, 3].mean():.1f}'"),
            Compare("ln(4): an honest guess", "math.log(4)", same=True),
        ),
        changes="Each row reads the next word from the input and repeats it. Word 4, whose next word is not given, "
        "shows what was learnt about words: nothing. Decoding has no next word either.",
        harmless="In the encoder: it is given the whole source, and asked for none of it.",
        truth="A loss below what the data allow is a leak: no model can foresee chance. A missing mask, a missing "
        "shift or a norm over the time axis does it. Change a later word: no earlier logit may move.",
        threads=(
            "jadore801120/attention-is-all-you-need-pytorch#13",
            "jadore801120/attention-is-all-you-need-pytorch#19",
            "IpsumDominum/Pytorch-Simple-Transformer#3",
            "lucidrains/x-transformers#102",
            "tatp22/linformer-pytorch#25",
            "MorvanZhou/NLP-Tutorials#10",
        ),
        exercise="12",
        paper="section 3.2.3",
    ),
    Confusion(
        number=17,
        slug="smoothing",
        theme="training",
        question="Label smoothing gives NaN. And why size - 2, what of <pad> and </s>?",
        given="""
from glassformer.train.loss import label_smoothed_loss
names, size, pad, label, smoothing = ["<pad>", "<s>", "</s>", "I", "a", "b"], 6, 0, 3, 0.1
log_probs = torch.randn(size).log_softmax(dim=0)
target = torch.full((size,), smoothing / (size - 2))  # neither <pad> nor the label
target[pad], target[label] = 0, 1 - smoothing
even = torch.full((size,), smoothing / size)  # among all, as in PyTorch and here
even[label] += 1 - smoothing
""",
        wrong="""
def divergence(target):
    return (target * (target.log() - log_probs)).sum()
""",
        right="""
def divergence(target):
    return F.kl_div(log_probs, target, reduction="sum")
""",
        then="""
entropy = -(even * even.log()).sum()
def ours(label):
    asked_for = torch.tensor([[label]])
    return label_smoothed_loss(log_probs[None, None], asked_for, pad, smoothing)
""",
        compare=(
            Compare("size - 2, nothing for <pad>", "target", same=True, columns="names"),
            Compare("loss with it", "divergence(target)"),
            Compare("among all words", "even", same=True),
            Compare("loss with it", "divergence(even)", same=True),
            Compare("plus its entropy", "divergence(even) + entropy", same=True),
            Compare("label_smoothed_loss", "ours(label)", same=True),
            Compare("where <pad>, </s> is asked for", "[ours(0), ours(2)]", same=True),
        ),
        changes="0 x log(0) is NaN: a target that gives a word nothing at all must not be written out with log.",
        harmless="Where every word gets a share, no 0 stands in a logarithm: both formulas agree, and with the "
        "target's entropy added they are the cross-entropy of label_smoothed_loss.",
        truth="The share goes to size, size - 1 or size - 2 words by three conventions; size - 2 leaves out <pad> and "
        "the label. Rows whose label is <pad> are not counted; </s> is a word like any other.",
        threads=(
            "harvardnlp/annotated-transformer#38",
            "harvardnlp/annotated-transformer#39",
            "harvardnlp/annotated-transformer#109",
            "jadore801120/attention-is-all-you-need-pytorch#165",
            "chenjunyi1999/Translator-Transformer#1",
        ),
        exercise="14",
        paper="section 5.4",
    ),
    Confusion(
        number=18,
        slug="pad-ids",
        theme="training",
        question="Two vocabularies: which padding id does the loss leave out?",
        given="""
src_pad_idx, trg_pad_idx = 1, 0  # and in the target vocabulary, 1 is "the"
words, labels = ["the", "dog", "</s>", "<pad>", "<pad>"], torch.tensor([1, 4, 2, 0, 0])
logits = torch.randn(5, 8)
""",
        wrong="""
def left_out(src_pad, trg_pad):
    return src_pad
""",
        right="""
def left_out(src_pad, trg_pad):
    return trg_pad
""",
        then="""
def loss(pad):
    return F.cross_entropy(logits, labels, ignore_index=pad)
counted = labels != left_out(src_pad_idx, trg_pad_idx)
""",
        compare=(
            Compare("counted in the loss", "counted", columns="words"),
            Compare("loss for each word", "loss(left_out(src_pad_idx, trg_pad_idx))"),
            Compare("with padding 0 in both vocabularies", "loss(left_out(0, 0))", same=True),
        ),
        changes="A real word is left out, never to be learnt, and the model is asked to write <pad> after the end.",
        harmless="Where both vocabularies have the same padding id.",
        truth="The labels are target words: the loss leaves out trg_pad_idx. src_pad_idx belongs to the source's "
        "mask. Use two different ids in a test, and a mix-up shows.",
        threads=(
            "hyunwoongko/transformer#11",
            "hyunwoongko/transformer#20",
            "facebookresearch/grounded-video-description#11",
        ),
        exercise="14",
        paper="section 5.1 (padding itself is not described)",
    ),
    Confusion(
        number=32,
        slug="step-0",
        theme="training",
        question='"Step 0: predict I, sees only I." Is the answer not seen already?',
        given="""
sentence = ["I", "love", "it"]
""",
        wrong="""
trg_in, asked_for = sentence, sentence
""",
        right="""
trg_in, asked_for = ["<s>", *sentence], [*sentence, "</s>"]
""",
        then="""
may_attend = torch.ones(len(trg_in), len(trg_in)).tril().bool()
sees = [[word for word, is_open in zip(trg_in, row) if is_open] for row in may_attend]
rows = list(zip(trg_in, sees, asked_for))
steps = [f"{row}: sees {' '.join(seen)}, asked for {word}" for row, seen, word in rows]
shown = [word in seen for _, seen, word in rows]
""",
        compare=(
            Compare("each row", "steps"),
            Compare("rows that see the word asked for", "f'{sum(shown)} of {len(shown)}'"),
            Compare("the look-ahead mask of three words", "may_attend[:3, :3]", same=True),
        ),
        changes="Without the shift every row sees the word that it is asked for: repeating it is always right, and is "
        "of no use when the next word is not there yet.",
        harmless="For the mask: it is the same triangle. What it means depends on the labels beside it.",
        truth="The first row stands on <s>, sees <s>, and is asked for I; the row of I sees <s> and I and is asked "
        "for love. So out = model(src, trg[:, :-1]) is compared with trg[:, 1:], and the mask lets a row see itself.",
        threads=("IpsumDominum/Pytorch-Simple-Transformer#3",),
        seen='the origin\'s README, "Step 0"',
        exercise="13",
        paper="section 3.2.3",
    ),
)
