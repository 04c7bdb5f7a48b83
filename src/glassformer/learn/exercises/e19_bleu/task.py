"""19  BLEU                                        section 6.1, Papineni et al. 2002 · 30 minutes · 3 of 5

The score that the paper reports: how many runs of 1, 2, 3 and 4 words of the translations also stand in a translation
made by a person. It is one number for a whole text: matches and runs are counted over all sentences together, and only
then divided.

    BLEU = 100 x BP x (p1 x p2 x p3 x p4)^(1/4)

    pn   matched runs of n words / all runs of n words in the hypotheses. A run that stands twice in a hypothesis
         matches twice only if one of the references has it twice: clipped at the largest count in any one reference
    BP   the brevity penalty: 1 where c > r, otherwise exp(1 - r / c). c words in all hypotheses together; r sums up,
         for each hypothesis, the length of the reference closest to its own length (of two equally close: the shorter)

BLEU is 0 where any pn is 0, or has nothing to divide by. No smoothing.

Worked example, one sentence, one reference:

    hypothesis  the cat sat on the the mat        7 words
    reference   the cat sat on the mat today ok   8 words
    p1 = 6/7 ("the" counts twice, not three times)   p2 = 5/6   p3 = 3/5   p4 = 2/4
    BP = exp(1 - 8/7) = 0.867                        BLEU = 100 x 0.867 x 0.2143^(1/4) = 58.98
"""


def bleu(hypotheses: list[list[str]], references: list[list[list[str]]]) -> float:
    """BLEU of a text, 0 to 100. `references[i]` holds every right answer to `hypotheses[i]`, each a list of words."""
    raise NotImplementedError
