"""Around the model: learning rates, scores, and data that stay where they are."""

from glassformer.learn.why.confusion import Compare, Confusion

CONFUSIONS = (
    Confusion(
        number=19,
        slug="warm-up",
        theme="habits",
        question="I took the paper's learning rate. Why does training diverge or stall?",
        given="""
from glassformer.train.schedules import inverse_sqrt, noam
embed_size, steps = 64, range(1, 601)  # a run of 600 updates, 1,000 target words each
""",
        wrong="""
rates = {
    "noam, warm-up 4000": [noam(step, 1, 4000, embed_size) for step in steps],
    "noam, warm-up 1": [noam(step, 1, 1, embed_size) for step in steps],
}
""",
        right="""
rates = {"peak named, 0.001": [inverse_sqrt(step, 0.001, 60) for step in steps]}
""",
        then="""
highest = {name: max(rate) for name, rate in rates.items()}
reached = {name: rate.index(max(rate)) + 1 for name, rate in rates.items()}
paper = {f"{width} channels": noam(4000, 1, 4000, width) for width in (512, 64)}
""",
        compare=(
            Compare("highest rate of the run", "highest"),
            Compare("reached at update", "reached"),
            Compare("target words in the paper's warm-up", "4000 * 25_000", same=True),
            Compare("target words in this whole run", "len(steps) * 1000", same=True),
            Compare("the paper's peak rate, by width", "paper", same=True),
        ),
        changes="With the paper's 4000 updates this run ends while the rate still climbs; with a warm-up of 1 the "
        "first update, of a model that knows nothing, has the highest rate of all.",
        harmless="In the paper's own setting, 512 channels and updates of 25,000 target words, for which it was "
        "chosen.",
        truth="Noam's peak is factor / sqrt(embed_size x warm-up): narrow models get a larger one, and updates count, "
        "not words. Name the peak, make the warm-up a part of your run, and print both before training.",
        threads=(
            "jadore801120/attention-is-all-you-need-pytorch#101",
            "jadore801120/attention-is-all-you-need-pytorch#168",
            "OpenNMT/OpenNMT-py#227",
            "OpenNMT/OpenNMT-py#869",
            "tensorflow/tensor2tensor#280",
            "tensorflow/tensor2tensor#991",
            "facebookresearch/fairseq#263",
        ),
        exercise="15",
        paper="section 5.3",
    ),
    Confusion(
        number=20,
        slug="bleu",
        theme="habits",
        question="Same model, same test set: why does my BLEU differ from theirs?",
        given="""
from glassformer.score import bleu
answers = ["The Dog doesn't like the U.S. weather.", "It rains, again and again."]
right = ["The dog doesn't like U.S. weather.", "It rains again and again."]
""",
        wrong="""
def score(answers, right):  # words cut apart, small letters, the end counted as a word
    def cut(text):
        for part in ("n't", ".", ","):
            text = text.replace(part, f" {part}")
        return text.lower() + " </s>"
    return bleu([cut(text) for text in answers], [[cut(text)] for text in right])
""",
        right="""
def score(answers, right):
    return bleu(answers, [[text] for text in right])
""",
        compare=(
            Compare("BLEU", "f'{score(answers, right).value:.1f}'"),
            Compare("answers and references swapped", "f'{score(right, answers).value:.1f}'"),
            Compare("signature", "score(answers, right).signature.split('|')[:-1]", same=True),
            Compare("answers equal to the references", "f'{score(right, right).value:.1f}'", same=True),
        ),
        changes="Small letters forgive a capital, and each n't, full stop, comma and </s> is one more match: the same "
        "answers seem far better. Swapping the two sides changes the score again.",
        harmless="Where an answer equals its reference, the score is 100 either way.",
        truth="BLEU counts runs of words, so it depends on what a word is. Give sacreBLEU plain text, cased and "
        "uncut, answers first. Quote the signature, and mind that it cannot see what was done to the text before.",
        threads=(
            "pytorch/tutorials#2485",
            "hyunwoongko/transformer#43",
            "bentrevett/pytorch-seq2seq#62",
            "tensorflow/tensor2tensor#343",
            "tensorflow/tensor2tensor#309",
            "facebookresearch/fairseq#346",
            "facebookresearch/fairseq#1352",
            "joeynmt/joeynmt#91",
        ),
        exercise="19",
        paper="section 6.1",
    ),
    Confusion(
        number=21,
        slug="data",
        theme="habits",
        question="The tutorial's data set no longer downloads. What now?",
        given="""
from urllib.request import urlopen
from glassformer.data import open_dataset
from glassformer.data.named import SHIPPED
""",
        wrong="""
def pairs():
    urlopen("file:///a/host/that/is/gone.tar.gz")  # stands for a dead address
""",
        right="""
def pairs():
    return open_dataset("reverse").train()  # made by the program, the same everywhere
""",
        then="""
error = error_of(pairs).split(":")[0]
found = list(pairs()) if error == "no error" else []
""",
        compare=(
            Compare("opening it", "error"),
            Compare("pairs to train with", "len(found)"),
            Compare("the first", "list(found[0]) if found else None"),
            Compare("what comes with the program", "', '.join(SHIPPED)", same=True),
        ),
        changes="There is nothing to train with, and no line after it can run.",
        harmless="For data that lie on your own disk: no host is asked for them.",
        truth="Hosts vanish, and torchtext is no longer developed. Begin with data that need no host: these four come "
        "with the program. Of all other data keep a copy of your own.",
        threads=(
            "harvardnlp/annotated-transformer#96",
            "pytorch/text#1756",
            "pytorch/text#2221",
            "pytorch/pytorch#79013",
            "the-jb/attention-is-all-you-need#2",
            "keon/seq2seq#31",
            "bentrevett/pytorch-seq2seq#125",
        ),
        exercise="16",
        paper="section 5.1",
    ),
)
