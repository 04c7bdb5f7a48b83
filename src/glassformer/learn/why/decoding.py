"""Writing an answer: start, steps, caches, beams and batches."""

from glassformer.learn.why.confusion import Compare, Confusion

CONFUSIONS = (
    Confusion(
        number=12,
        slug="two-paths",
        theme="decoding",
        question="The weights load without a complaint. Why is decoding worse?",
        given="""
sizes = dict(embed_size=16, num_layers=1, heads=2, positions="sinusoidal")
trained = Transformer(12, 12, 0, 0, **sizes, scale_embeddings=True)
src, trg = torch.tensor([[5, 6, 7, 2]]), torch.tensor([[1, 8, 9, 4]])
nn.init.normal_(trained.fc_out.weight)  # as if it had learnt something
""",
        wrong="""
served = Transformer(12, 12, 0, 0, **sizes)  # written again, one choice forgotten
""",
        right="""
served = Transformer.from_config(trained.config)
""",
        then="""
unfit = served.load_state_dict(trained.state_dict())
chosen = served(src, trg)[0].argmax(dim=1)
""",
        compare=(
            Compare("keys that do not fit", "len(unfit.missing_keys + unfit.unexpected_keys)", same=True),
            Compare("words chosen in training", "trained(src, trg)[0].argmax(dim=1)", same=True),
            Compare("words chosen by the served model", "chosen"),
            Compare("logits differ by", "(served(src, trg) - trained(src, trg)).abs().max()"),
        ),
        changes="The parameters and their names are the same, but the embeddings are no longer multiplied by "
        "sqrt(embed_size): other logits, other words.",
        harmless="For loading: every key fits, so nothing warns.",
        truth="A choice that has no parameter is not in the weights. Build the served model from the saved config, "
        "and compare the logits of both on one batch: they must be equal.",
        threads=(
            "jadore801120/attention-is-all-you-need-pytorch#176",
            "jadore801120/attention-is-all-you-need-pytorch#190",
            "jadore801120/attention-is-all-you-need-pytorch#44",
            "jadore801120/attention-is-all-you-need-pytorch#93",
        ),
        exercise="17",
        paper="section 3.4",
    ),
    Confusion(
        number=13,
        slug="start",
        theme="decoding",
        question="Why is the first word wrong when decoding starts from id 0?",
        given="""
from glassformer.model.masks import target_mask
model, src = small_model(), torch.tensor([[5, 6, 7, 2]])  # <pad> is 0, <s> is 1
""",
        wrong="start = torch.zeros(1, 1).long()",
        right="start = torch.ones(1, 1).long()",
        then="""
logits = model(src, start)[0, 0]
taught = model(src, torch.tensor([[1, 4, 5]]))[0, 0]  # the same row in training
""",
        compare=(
            Compare("words that the first row sees", "target_mask(start, 0, 1).sum()"),
            Compare("off the same row in training by", "(logits - taught).abs().max()"),
            Compare("first word chosen", "logits.argmax()"),
            Compare("words seen with trg_pad_idx=None", "target_mask(start, None, 1).sum()", same=True),
        ),
        changes="0 is padding: its row sees no word, not even itself, and its embedding is not the one that training "
        "put in front.",
        harmless="Where training began from the padding id too, and the target has no padding mask: then the row sees "
        "itself.",
        truth="Decoding begins with the id that training put in front of every target, <s>, here 1. The first row of "
        "decoding must equal the first row of training.",
        threads=(
            "harvardnlp/annotated-transformer#127",
            "harvardnlp/annotated-transformer#106",
            "harvardnlp/annotated-transformer#111",
        ),
        exercise="17",
        paper="section 3.1",
    ),
    Confusion(
        number=14,
        slug="same-sentence",
        theme="decoding",
        question="Every source gets the same answer, which never ends. What is broken?",
        given="""
from glassformer.decode import DecodingConfig, greedy
model, sources = small_model(), torch.tensor([[5, 6, 2], [9, 3, 2], [7, 8, 2]])
config = DecodingConfig(max_ratio=0, max_extra=6, forced_end=False)
cross = model.decoder.layers[0].cross_attention
""",
        wrong="""
cross.fc_out.weight.data.zero_()  # nothing comes through
""",
        right="""
# nothing is changed
""",
        then="""
answers = [str(answer.ids) for answer in greedy(model, sources, 1, 2, config)]
trg = torch.tensor([[1, 4, 5]]).expand(3, 3)
moved = model(sources.flip(0), trg) - model(sources, trg)
""",
        compare=(
            Compare("answers to three sources", "answers"),
            Compare("logits move when the sources change places", "moved.abs().max()"),
        ),
        changes="Nothing of the source reaches the decoder, so that every source gets one answer.",
        harmless="Repeated words and a missing end alone prove nothing: a model that has learnt nothing has them too, "
        "as on the right.",
        truth="Let the sources change places: where no logit moves, the decoder does not hear them. Then look at "
        "cross-attention: keys and values from memory, a mask that leaves them open, a gradient in each projection.",
        threads=(
            "pytorch/tutorials#719",
            "pytorch/examples#642",
            "OpenNMT/OpenNMT-py#227",
            "OpenNMT/OpenNMT-py#1017",
            "lsdefine/attention-is-all-you-need-keras#14",
        ),
        exercise="12",
        paper="section 3.2.3",
    ),
    Confusion(
        number=27,
        slug="beam",
        theme="decoding",
        question="Why is my beam search worse than greedy?",
        given="""
from glassformer.decode import DecodingConfig, beam_search, greedy
config = DecodingConfig(beam=2, length_penalty=0, max_ratio=0, max_extra=3)
first, second, words = torch.tensor([[5, 4, 2]]), torch.tensor([[3, 3, 2]]), (3, 4, 5)
torch.manual_seed(1)
model = small_model(words=6)
def next_words(src, ids):  # what may follow, </s> = 2 and on, with log probabilities
    logits = model(src, torch.tensor([[1, *ids]]))[0, -1, 2:]
    return list(enumerate(logits.log_softmax(dim=0).tolist(), start=2))
""",
        wrong="""
def search(src):
    beams = [((), 0.0)]
    for _ in range(2):
        grown = [((*ids, w), p + q) for ids, p in beams for w, q in next_words(src, ids)]
        best = sorted(grown, key=lambda each: each[1])[-2:]
        beams = [each for each in best if each[0][-1] != 2]  # ended: it leaves, unkept
    return (*beams[-1][0], 2)
""",
        right="""
def search(src):
    return (*beam_search(model, src, 1, 2, config)[0][0].ids, 2)
""",
        then="""
def log_prob(src, ids):
    return sum(dict(next_words(src, ids[:i]))[word] for i, word in enumerate(ids))
every = [(2,), *((a, 2) for a in words), *((a, b, 2) for a in words for b in words)]
""",
        compare=(
            Compare("answer to the first", "search(first)"),
            Compare("its log probability", "log_prob(first, search(first))"),
            Compare("of greedy's answer", "greedy(model, first, 1, 2, config)[0].log_prob", same=True),
            Compare("of the best of all answers", "max(log_prob(first, ids) for ids in every)", same=True),
            Compare("answer to the second", "search(second)", same=True),
        ),
        changes="The best answer ended early and was kept nowhere. What went on is returned, though it is less likely "
        "than greedy's answer.",
        harmless="Where nothing among the best ends early: both find the same.",
        truth="A hypothesis that ends leaves the beam and is kept with its score; the search is over when none that "
        "goes on can beat it. On a tiny vocabulary compare with all answers that there are.",
        threads=(
            "jadore801120/attention-is-all-you-need-pytorch#28",
            "joeynmt/joeynmt#149",
            "awslabs/sockeye#233",
            "awslabs/sockeye#483",
            "neulab/xnmt#572",
            "OpenNMT/OpenNMT-py#137",
        ),
        seen="hkproj/pytorch-transformer, its notebook",
        exercise="18",
        paper="section 6.1",
    ),
    Confusion(
        number=28,
        slug="cache",
        theme="decoding",
        question="Why does the KV cache give other numbers than decoding without it?",
        given="""
from glassformer.model.attention import MultiHeadAttention
from glassformer.model.cache import SelfAttentionCache
from glassformer.model.masks import look_ahead_mask
from glassformer.model.positions import sinusoids
words, x = ["I", "love", "it"], torch.randn(1, 3, 4)  # their embeddings
layer = MultiHeadAttention(4, 1)
whole = x + sinusoids(3, 0, x)
at_once = layer(whole, whole, whole, look_ahead_mask(3, 3, x.device))
""",
        wrong="""
def place(step):
    return 0  # the new word is the only one in sight
""",
        right="""
def place(step):
    return step
""",
        then="""
cache, steps = SelfAttentionCache(), []
for step in range(3):
    word = x[:, step : step + 1] + sinusoids(1, place(step), x)
    steps.append(layer(word, word, word, look_ahead_mask(1, step + 1, x.device), cache))
by_steps = torch.cat(steps, dim=1)
""",
        compare=(
            Compare("all at once", "at_once[0]", same=True, rows="words"),
            Compare("step by step", "by_steps[0]", rows="words"),
            Compare("off at each step", "(by_steps - at_once)[0].abs().amax(dim=1)", rows="words"),
        ),
        changes="Each new word is alone in its input and is placed at position 0: from the second step on its query, "
        "key and value are others.",
        harmless="At the first step, whose position is 0: all agrees, so test more than one step.",
        truth="With a cache, positions count on from the words that are kept, and the mask is one row over all keys. "
        "Every step must equal the same row of one pass over the whole.",
        threads=(
            "lucidrains/x-transformers#311",
            "RobertCsordas/moeut#6",
            "skyzh/tiny-llm#46",
            "fla-org/flash-linear-attention#766",
            "keras-team/keras-hub#2862",
        ),
        exercise="17",
        paper="section 3 (the cache is not described)",
    ),
    Confusion(
        number=29,
        slug="batched-lengths",
        theme="decoding",
        question="Can sentences of different length be generated together in one batch?",
        given="""
short, long = [5, 6, 2], [7, 8, 9, 3, 2]
trg = torch.tensor([[1, 4, 5]])
""",
        wrong="batch = torch.tensor([[0, 0, *short], long])  # padding on the left",
        right="batch = torch.tensor([[*short, 0, 0], long])  # padding on the right",
        then="""
def off(positions):
    model = small_model(positions=positions)
    alone = model(torch.tensor([short]), trg)
    return (model(batch, trg.expand(2, 3))[:1] - alone).abs().max()
places = torch.arange(5)[batch[0] != 0]
""",
        compare=(
            Compare("the short sentence stands in columns", "places"),
            Compare("in the batch, less the sentence alone", "off('learned')"),
            Compare("the same without positions", "off('none')", same=True),
        ),
        changes="On the left, padding moves the words to later positions: although it is masked, the short sentence "
        "is read as another one.",
        harmless="Without positions masked padding leaves no trace on either side.",
        truth="Yes. Fill up on the right and mask, and a batch equals each sentence alone. Filled up on the left, "
        "positions have to be counted from the first word of each sentence.",
        threads=(
            "karpathy/nanoGPT#253",
            "karpathy/nanoGPT#231",
            "karpathy/nanochat#405",
            "huggingface/transformers#3167",
            "huggingface/transformers#3021",
            "NVIDIA/FasterTransformer#270",
        ),
        exercise="17",
        paper="section 3.5",
    ),
)
