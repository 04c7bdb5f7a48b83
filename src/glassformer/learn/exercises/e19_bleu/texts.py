"""19, in words."""

from glassformer.learn.exercise import FollowUp, Texts

TEXTS = Texts(
    number="19",
    name="bleu",
    title="BLEU",
    paper="section 6.1, Papineni et al. 2002",
    minutes=30,
    difficulty=3,
    interview=False,
    hints=(
        "Four pairs of whole numbers say it all: matched and total, for n = 1 to 4, summed over all sentences.",
        "A collections.Counter of tuples counts runs: len(words) - n + 1 of them. `a & b` takes the smaller counts of"
        " two Counters, `a | b` the larger ones.",
        "For one sentence and one n: allowed = the references' Counters joined by |; matched = the sum of the counts"
        " of (counts & allowed); total = the sum of counts.",
        "For r: min(references, key=...) with the pair (distance in length, length) as key, so that of two equally"
        " close ones the shorter wins.",
        "Return 0 as soon as a matched is 0. Otherwise 100 x BP x math.prod(precisions) ** 0.25, with"
        " BP = 1 if c > r else math.exp(1 - r / c).",
    ),
    explanation=(
        "Counting matched words alone would reward a hypothesis that repeats one common word: hence the clipping. It"
        " would not see order: hence runs of up to four words. And it would reward saying only what is certain: a"
        " precision has no way of missing what was left out, so the brevity penalty stands in for recall, which several"
        " references would make hard to define. Sums over the whole text come before the division because four words"
        " rarely match in one sentence alone, and one 0 makes a geometric mean 0. Most disagreements between published"
        " scores come from before the formula: how text is cut into words, and whether capitals count. That is why"
        " sacreBLEU prints a signature beside the number, and why glassformer never shows a BLEU without it."
    ),
    follow_ups=(
        FollowUp(
            question="Two papers report 27.3 and 28.4 BLEU on one test set: what do you ask before you compare them?",
            rubric=(
                "how the text was cut into words and whether case was kept: the signature of sacreBLEU",
                "whether the references were left as they are, and how many there are",
                "asks for the spread: bootstrap or several seeds, as a difference of one point may be chance",
            ),
        ),
        FollowUp(
            question="Which good translations does BLEU punish, and what would you add to it?",
            rubric=(
                "synonyms and another word order: it sees only the references' own runs of words",
                "names another score with its idea, such as chrF over characters or a learned one",
                "says that a person's judgement is what all of them are measured against",
            ),
        ),
    ),
)
