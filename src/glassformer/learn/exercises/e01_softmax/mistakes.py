"""01: the known ways to get it wrong."""

from glassformer.learn.exercise import Mistake

AXIS = "The numbers along which axis should add up to 1, and does your code use what the caller says?"
BROADCAST = "What is the shape of a (2, 3) tensor after a sum over dim 1, and how does it line up with (2, 3) again?"

MISTAKES = (
    Mistake(
        name="no-max-subtraction",
        formula="e^x / sum of e^x, along dim",
        question="What is e^1000 on your computer, and what is that number divided by itself?",
        symptom="NaN as soon as a score passes 709 (in float64), 88 (float32) or 11 (float16); right below that",
        look="the line with exp: nothing is taken away before it",
        source="pyg-team/pytorch_geometric#53",
        suspect=r"exp",
    ),
    Mistake(
        name="global-max",
        formula="e^(x - max of all numbers) / its sum along dim",
        question="A row of numbers near -1000 stands beside a row near +1000: what is left of it?",
        symptom="0/0 = NaN in a row that lies far below the others; a batch can spoil a sentence that is fine alone",
        look="the max: it is taken over the whole tensor, not along dim",
        source="deeplearning4j/nd4j#44",
        suspect=r"max",
    ),
    Mistake(
        name="wrong-dim",
        formula="e^(x - max x) / sum of e^(x - max x), along dim 0 whatever dim is",
        question=AXIS,
        symptom="over the batch instead of the keys: a sentence's answer depends on its company",
        look="the axis of the max and of the sum is fixed to the first",
        source="MorvanZhou/NLP-Tutorials#10",
        suspect=r"sum|max",
    ),
    Mistake(
        name="dim-ignored",
        formula="e^(x - max x) / sum of e^(x - max x), along the last axis whatever dim is",
        question=AXIS,
        symptom="none while every caller means the last axis; wrong for the first one that does not",
        look="the axis of the max and of the sum is fixed to the last",
        source="paiml/aprender#2152",
        suspect=r"sum|max",
    ),
    Mistake(
        name="keepdim-missing",
        formula="e^(x - max x) / (the sums along dim, without that axis)",
        question=BROADCAST,
        symptom="stops on most shapes; on square ones each number is silently divided by another row's sum",
        look="the sum: is its axis kept?",
        source="triton-lang/triton#11406",
        suspect=r"sum",
    ),
    Mistake(
        name="keepdim-missing-in-max",
        formula="e^(x - (the max along dim, without that axis)) / its sum along dim",
        question=BROADCAST,
        symptom="stops on most shapes; on square ones another row's max is silently taken away",
        look="the max: is its axis kept?",
        source="triton-lang/triton#11409",
        suspect=r"max",
    ),
    Mistake(
        name="sum-over-everything",
        formula="e^(x - max x) / (one sum over all numbers)",
        question="How many numbers should your sum give for x of shape (2, 3) and dim 1?",
        symptom="weights shrink as the batch grows",
        look="the sum has no axis",
        source="uTensor/uTensor#171",
        suspect=r"sum",
    ),
    Mistake(
        name="log-softmax",
        formula="log(e^(x - max x) / sum of e^(x - max x))",
        question="Can a weight be below 0?",
        symptom="as attention weights: every value is mixed in with the wrong sign",
        look="a logarithm, or log_softmax, which belongs to the loss",
        source="seen in no thread that we know",
        suspect=r"log",
    ),
    Mistake(
        name="input-changed-in-place",
        formula="x becomes x - max x, then the right answer",
        question="What does the caller find in x after the call?",
        symptom="right by itself; whoever uses the scores afterwards uses other scores, and autograd may refuse",
        look="-=, /=, or a method whose name ends in _",
        source="seen in no thread that we know",
        suspect=r"[-/*+]=|_\(",
    ),
)
