"""The cases D1 to D8, as a learner reads them."""

from glassformer.learn.debug.case import Case, Solution

ASK = "Name the fault, and give one expression that is True of this system because of it, and False of a right one."

D1 = Case(
    number="D1",
    title="All right when shown, nothing right when writing",
    story=(
        "The training could not have gone better: the loss went to zero, and every token is right when the tokens "
        "before it are shown. Left to write by itself, the same model gets no sentence right."
    ),
    ask=ASK,
    hints=(
        "What does the model have in front of it in training that it does not have while it writes?",
        "The answer at a position may depend on the tokens up to there, and on nothing after them. Ask the model the "
        "same question with and without the rest of the target.",
        "Compare model(src, trg)[:, :4] with model(src, trg[:, :4]): torch.allclose says whether they are equal.",
    ),
    explanation=(
        "The decoder's self-attention has no look-ahead mask. In training the token asked for stands one place further "
        "on in the input, and the model learned to copy it from there; while it writes there is no next place. Loss "
        "and accuracy are excellent because the answer was in the question, and many faults look like this from "
        "outside. The probe settles it: logits of the first four positions change when later tokens are taken away."
    ),
    thread="jadore801120/attention-is-all-you-need-pytorch#19",
    exercise="03",
    solution=Solution(
        name="no-look-ahead",
        probe="not torch.allclose(model(src, trg)[:, :4], model(src, trg[:, :4]))",
    ),
    synonyms=(
        "no-causal", "no-causal-mask", "causal-mask-missing", "look-ahead-mask-missing", "future-leak", "target-leak",
    ),
)  # fmt: skip

D2 = Case(
    number="D2",
    title="A loss that stays flat",
    story=(
        "After a first drop the loss stays where it is, update after update. What the model writes looks like a "
        "sentence of the task, but hardly a letter of it is right."
    ),
    ask=ASK,
    hints=(
        "There are ten letters, each as likely as another, and a little is known of where sentences end. Which loss "
        "has a model that knows that and no more? (The logarithm of 10 is 2.30.)",
        "A decoder that has learned the language and guesses the letters: which part of its input does it not use?",
        "Give the decoder other sources with the same targets, for example src.flip(0), and compare the logits.",
    ),
    explanation=(
        "Cross-attention takes its keys and values from the target, so nothing of the source reaches the decoder. It "
        "learns what targets look like in general, guesses letters, and sits at the entropy of the guess. The weights "
        "do move: frozen ones would have kept the first loss. The probe: with the sources of other sentences the "
        "logits are the same."
    ),
    thread="pytorch/tutorials#719",
    exercise="12",
    solution=Solution(
        name="cross-attention-reads-target",
        probe="torch.allclose(model(src, trg), model(src.flip(0), trg))",
    ),
    synonyms=("decoder-ignores-source", "cross-kv-from-decoder", "source-ignored", "ignores-source"),
)

D3 = Case(
    number="D3",
    title="Every token right, and a loss that will not fall",
    story=(
        "Accuracy is perfect and so is what the model writes. The loss comes down by a third and stays there, "
        "at a value far from that of a model that is always right."
    ),
    ask=ASK,
    hints=(
        "The likeliest token is right and the loss is high: the model is right and not allowed to be sure.",
        "How sure can it be? Look at the numbers themselves: model(src, trg)[0, 0].",
        "Logits may be any numbers. These are not: what is their sum over the vocabulary, at every position?",
    ),
    explanation=(
        "The model ends in a softmax, and the loss, which expects logits, applies another. Numbers between 0 and 1 are "
        "poor logits: with 13 tokens even a certain, right answer costs ln(e + 12) - 1 = 1.69 nats, the floor of this "
        "curve. The order of the tokens is the same, so accuracy and greedy answers do not suffer here; on a harder "
        "task the weak gradients would. The probe: what should be logits adds up to 1 everywhere."
    ),
    thread="lsdefine/attention-is-all-you-need-keras#12",
    exercise="14",
    solution=Solution(
        name="softmax-twice",
        probe="((model(src, trg).sum(dim=-1) - 1).abs() < 1e-6).all()",
    ),
    synonyms=("double-softmax", "softmax-in-model", "two-softmaxes"),
)

D4 = Case(
    number="D4",
    title="Right alone, wrong in company",
    story=(
        "To train fast, every batch was made of sentences of one length. In use, sentences come as they are: asked one "
        "at a time the model is right, asked all at once it gets most of them wrong."
    ),
    ask=ASK,
    hints=(
        "What does a batch of different sentences hold that a sentence alone, or a batch of one length, does not?",
        "Either a sentence is disturbed by the others, or by what makes it as long as they are. Change one of the two "
        "and leave the other as it is.",
        "F.pad(src, (0, 3), value=pad) adds three columns of padding to every source. Should that change a logit?",
    ),
    explanation=(
        "There is no padding mask for the source. Padding has an embedding and positions like any word; encoder and "
        "cross-attention attend to it, and a model that never met any in training makes of it what it can. Training on "
        "mixed lengths would have hidden the fault: the model learns to live with padding, and depends on how much of "
        "it there is. The probe: more padding changes the logits."
    ),
    thread="karpathy/nanoGPT#253",
    exercise="03",
    solution=Solution(
        name="no-source-padding-mask",
        probe="not torch.allclose(model(src, trg), model(F.pad(src, (0, 3), value=pad), trg))",
    ),
    synonyms=("source-padding-mask-missing", "padding-mask-missing", "no-padding-mask", "pad-missing", "pads-leak"),
)

D5 = Case(
    number="D5",
    title="Not a number, from one batch on",
    story=(
        "Every batch holds 64 sentences of one length, so that nothing needs padding. The data ran out in the last "
        "batch of the epoch: it was filled up with empty rows, whose targets the loss leaves out. The loss of that "
        "batch was a number. One update later everything was NaN. The system here is the last checkpoint before; its "
        "src is such a batch, the last row empty."
    ),
    ask=ASK,
    hints=(
        "The rows that the loss leaves out have no loss. Have they no gradient? 0 times what is not 0?",
        "Ask the model with and without the last row, and look for NaN with .isnan().",
        "The fault is in what a softmax gives when everything is hidden. Prove both halves: an empty source alone is "
        "enough, model(src[-1:], trg[-1:]), and the others, padding or not, are well.",
    ),
    explanation=(
        "Hidden energies are filled with minus infinity, and an empty source leaves a query with nothing but that: "
        "the softmax is 0/0. The loss does not see those rows, but their gradients are 0 times NaN, which is NaN, and "
        "the shared weights take it up. A finite fill gives such a row an average, and a second fill with 0 after the "
        "softmax gives it nothing; better still, no batch holds an empty source. The probe: NaN for the empty row "
        "alone, and none for the others."
    ),
    thread="pytorch/pytorch#41508",
    exercise="04",
    solution=Solution(
        name="empty-row-nan",
        probe="model(src[-1:], trg[-1:]).isnan().all() and not model(src[:-1], trg[:-1]).isnan().any()",
    ),
    synonyms=("dead-row-nan", "fully-masked-row", "minus-infinity-on-an-empty-row"),
)

D6 = Case(
    number="D6",
    title="The cache disagrees from the second token on",
    story=(
        "Read in one pass, the model is right, and when it reads everything again for each new token, so are its "
        "answers. With a cache, which should give the same numbers and only save work, the first token is right and "
        "what follows is not."
    ),
    ask=ASK,
    hints=(
        "A step with a cache computes one token. What does it need to know beside that token and what was kept?",
        "Something may be lost that was kept, or something may be wrong with the new token. Write the same token "
        "several times: what is it then that tells one step from the next?",
        "cached(src, trg[:, :1].repeat(1, 4)) reads start four times. In a right system each step has logits of its "
        "own.",
    ),
    explanation=(
        "With a cache the decoder gets one new token at a time, and the positions start at 0 for each of them: every "
        "token is told that it is the first. The first one is, so the first step agrees. Each step must begin where "
        "the cache ends. The probe: four times the same token gives four times the same logits, as only the position "
        "could tell them apart; a cache that forgets would give different ones."
    ),
    thread="lucidrains/x-transformers#311",
    exercise="17",
    solution=Solution(
        name="positions-restart-with-cache",
        probe="(lambda steps: torch.allclose(steps[:, 0], steps[:, 3]))(cached(src, trg[:, :1].repeat(1, 4)))",
    ),
    synonyms=("position-always-0", "positions-restart", "position-always-zero", "cache-position-offset"),
)

D7 = Case(
    number="D7",
    title="It never stops",
    story=(
        "The loss is next to nothing and the accuracy perfect. What the model writes begins with all the right letters "
        "and goes on and on: not one answer ends by itself."
    ),
    ask=ASK,
    hints=(
        "Which token is missing in the answers, and who should have taught it?",
        "A model learns what it is asked for, where the loss counts it. Look at a target, trg[0], and at what the loss "
        "does with its last token.",
        "The loss leaves out one id. Print pad and end.",
    ),
    explanation=(
        "Padding and end share one id, and the loss leaves padding out: so the model was never asked for an end, and "
        "no token it wrote was ever compared with one. Loss and accuracy leave out the very token it lacks. Give "
        "padding an id of its own, or mask the loss by length instead of by id. The probe shows the shared id; a loss "
        "over targets that are all end, which has nothing left to count, proves it as well."
    ),
    thread="huggingface/open-r1#492",
    exercise="14",
    solution=Solution(name="pad-is-end", probe="pad == end"),
    synonyms=("pad-eos", "pad-is-eos", "pad-equals-end", "pad-equals-eos", "end-is-pad", "eos-is-pad", "end-ignored"),
)

D8 = Case(
    number="D8",
    title="A wider search, a worse answer",
    story=(
        "Greedy answers are right. A beam looks at more answers and should mostly find likelier ones; here it finds "
        "less likely ones, and the wider it is, the less likely. The model is not to blame: it is the right one."
    ),
    ask=ASK,
    hints=(
        "Does the beam fail to find the likely answers, or does it find them and prefer others?",
        "The beam says how likely its answer is. So does log_prob, which reads the answer in one pass.",
        "found = beam(src[:1], 4); compare found.log_prob with log_prob(src[:1], found.ids).",
    ),
    explanation=(
        "A hypothesis is worth the log probability of its last token alone; those before it are forgotten. A beginning "
        "that no greedy search would take costs nothing one step later, when an obvious token follows, so the beam "
        "fills with bad beginnings and good ends. A score must be the sum over all tokens. The probe: what the beam "
        "reports is not the log probability of its own answer. That the answer is less likely than the greedy one is "
        "true too, but of most faults of a search, and now and then of a right one, whose beam lost greedy's beginning."
    ),
    thread="nyu-mll/jiant#371",
    exercise="18",
    solution=Solution(
        name="last-step-score",
        probe="abs(beam(src[:1], 4).log_prob - log_prob(src[:1], beam(src[:1], 4).ids)) > 1e-6",
    ),
    synonyms=("scores-not-added", "scores-not-accumulated", "last-token-score"),
)

STORIES = (D1, D2, D3, D4, D5, D6, D7, D8)
