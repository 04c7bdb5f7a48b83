# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # The tour: the core from first to last line
#
# Every line of `src/glassformer/model/` stands on this page once, beside the section of "Attention Is All You Need"
# (Vaswani et al. 2017) that it comes from, and beside a small run that shows what it does. What the cells print was
# printed when the page was made. *The origin* is the code that this project began from. The page is also a notebook:
# `docs/tour.ipynb` after `make docs`, and `docs/tour.py` wherever jupytext is at home.
#
# <!-- source: __init__.py top -->
#
# | the paper says | here | letter |
# | --- | --- | --- |
# | d_model | `embed_size` | e |
# | h | `heads` | h |
# | d_k = d_v | `head_dim` = embed_size / heads | d |
# | d_ff | `forward_expansion` x embed_size | f |
# | N | `num_layers` | |
# | Q, K, V | `queries`, `keys`, `values` | n q h d, n k h d |
# | QK^T / sqrt(d_k) | `energy` | n h q k |
# | its softmax | `attention` | n h q k |
# | head_1 ... head_h | `heads_out` | n q h d |
#
# | paper | what it describes | chapter |
# | --- | --- | --- |
# | 3.1 | encoder and decoder stacks | 4, 5 |
# | 3.2.1 | scaled dot-product attention | 2 |
# | 3.2.2 | multi-head attention | 2 |
# | 3.2.3 | where attention is used, and the look-ahead mask | 1, 4 |
# | 3.3 | feed-forward networks | 4 |
# | 3.4 | embeddings and softmax | 5 |
# | 3.5 | positional encoding | 3 |
# | 5.4 | dropout | 4, 5 |
# | Table 3 | the sizes of base and big | 8 |
#
# Our example is a batch of two sentences: "I love deep learning", and a shorter one, so that there is padding.

# %%
import math

import torch

from glassformer import Transformer, base, big, origin, tiny, use_fused, watch
from glassformer.model.attention import MultiHeadAttention, attention
from glassformer.model.blocks import DecoderBlock, PostNorm, PreNorm
from glassformer.model.cache import Cache
from glassformer.model.masks import look_ahead_mask, padding_mask, target_mask
from glassformer.model.positions import sinusoids

french = ["<pad>", "<s>", "</s>", "j'", "adore", "l'", "apprentissage", "profond", "il", "pleut"]
english = ["<pad>", "<s>", "</s>", "I", "love", "deep", "learning", "it", "rains"]


def ids(vocabulary, *sentences):
    return torch.tensor([[vocabulary.index(word) for word in sentence.split()] for sentence in sentences])


def grid(numbers, rows, columns, form="{:.2f}"):
    """Print a matrix with words on both axes."""
    width = max(map(len, [*columns, "0.00"]))
    print(" " * 9, *(column.rjust(width) for column in columns))
    for row, line in zip(rows, numbers, strict=True):
        print(row.ljust(9), *(form.format(number).rjust(width) for number in line))


src = ids(french, "j' adore l' apprentissage profond", "il pleut <pad> <pad> <pad>")
trg = ids(english, "<s> I love deep learning </s>", "<s> it rains </s> <pad> <pad>")
print("src", tuple(src.shape), src.tolist())
print("trg", tuple(trg.shape), trg.tolist())

# %% [markdown]
# ## 1. Masks: who may look at whom
#
# The first file is about what goes wrong most often, so it states its convention before anything else.
#
# <!-- source: masks.py top -->
#
# **The padding mask** (no section: the paper batches sentences of similar length, 5.1, and leaves the rest to the
# reader). `tokens != pad_idx` is True at words. The two `unsqueeze` put the axes h and q in between, of size 1: the
# answer is the same for each head and each asker. It hides columns, never rows: padding may ask, and nobody reads what
# it hears.
#
# <!-- source: masks.py padding_mask -->

# %%
src_mask = padding_mask(src, pad_idx=0)
print("src_mask (n, 1, 1, s):", tuple(src_mask.shape))
grid(src_mask[1, 0].int().tolist(), ["any asker"], [french[i] for i in src[1]], "{}")

# %% [markdown]
# **The look-ahead mask** (3.2.3: leftward flow must be prevented to keep the model autoregressive). `tril` keeps the
# lower triangle: each position sees itself and what came before. In training there are as many queries as keys. While
# decoding with a cache (chapter 6) there are fewer, and they are the *last* ones: so the triangle is aligned to the
# bottom right, by `diagonal=key_len - query_len`.
#
# <!-- source: masks.py look_ahead_mask -->

# %%
grid(
    look_ahead_mask(2, 5, src.device)[0, 0].int().tolist(), ["deep", "learning"], [english[i] for i in trg[0, :5]], "{}"
)

# %% [markdown]
# **The target's mask** is both at once: `&`, since True means "may". Where there is no padding id, `tokens == tokens`
# is an all-True mask of the right shape and device.
#
# <!-- source: masks.py target_mask -->
#
# What the rows mean depends on one thing more, **the shift**. The decoder is not given `trg` but `trg[:, :-1]`, and it
# is asked for `trg[:, 1:]`. So row `<s>` sees `<s>` and is asked for "I": the word it is asked for is never among
# those that it sees. That is the whole reason for the mask. In training all rows are computed at once, and without the
# mask each could read its answer one column to the right; in use the answer is not there yet.

# %%
given, asked_for = trg[:, :-1], trg[:, 1:]
trg_mask = target_mask(given, pad_idx=0, query_len=given.size(1))
words = [english[i] for i in given[0]]
grid(trg_mask[0, 0].int().tolist(), words, words, "{}")
print()
for row, answer in enumerate(asked_for[0]):
    sees = [word for word, may in zip(words, trg_mask[0, 0, row], strict=True) if may]
    print(f"row {words[row]}: sees {' '.join(sees)}, asked for {english[answer]}")

print("\nthe second sentence: nobody sees its padding")
second = [english[i] for i in given[1]]
grid(trg_mask[1, 0].int().tolist(), second, second, "{}")

# %% [markdown]
# ## 2. Attention
#
# **Section 3.2.1, equation 1**: Attention(Q, K, V) = softmax(QK^T / sqrt(d_k)) V.
#
# <!-- source: attention.py top -->
#
# `Attend` is the type of anything that can stand in for the function below; chapter 7 has the other one.
#
# <!-- source: attention.py lowest -->
#
# The equation takes four lines, one for each quantity that has a name:
#
# 1. `energy`: "nqhd,nkhd->nhqk" multiplies where letters agree and sums over d, the letter missing on the right: the
#    dot product of query q and key k, for each sentence n and head h. A dot product of d independent numbers of
#    variance 1 has variance d, so it is divided by sqrt(d), d = `queries.size(-1)`, a head's channels.
# 2. `masked_energy`: where the mask says no, the lowest number that the dtype has.
# 3. `attention`: the softmax over k, the keys. `masked_fill(~mask, 0)` matters only for a row without any key: the
#    softmax of equal numbers would be an average over what is hidden.
# 4. `heads_out`: "nhqk,nkhd->nqhd" sums over k: values, mixed by the weights.
#
# <!-- source: attention.py attention -->

# %%
torch.manual_seed(0)
length, head_dim = given.size(1), 4
queries, keys, values = torch.randn(3, 2, length, 2, head_dim, dtype=torch.float64)
energy = torch.einsum("nqhd,nkhd->nhqk", [queries, keys]) / math.sqrt(head_dim)
masked_energy = energy.masked_fill(~trg_mask, torch.finfo(energy.dtype).min)
weights = masked_energy.softmax(dim=-1).masked_fill(~trg_mask, 0)
heads_out = torch.einsum("nhqk,nkhd->nqhd", [weights, values])
print("first sentence, first head: energy")
grid(energy[0, 0].tolist(), words, words)
print("\nattention: hidden words weigh nothing, and each row adds up to 1")
grid(weights[0, 0].tolist(), words, words)
print("\nqueries (n, q, h, d)", tuple(queries.shape))
print("energy  (n, h, q, k)", tuple(energy.shape))
print("heads_out (n, q, h, d)", tuple(heads_out.shape))
print("the function gives the same:", torch.equal(heads_out, attention(queries, keys, values, trg_mask)))

# %% [markdown]
# The reason for sqrt(d), measured: the spread of dot products of random vectors, before and after the division.

# %%
for d in (4, 64, 1024):
    dots = (torch.randn(20000, d) * torch.randn(20000, d)).sum(dim=1)
    print(f"d = {d:4}: spread {dots.std():4.0f}, divided by sqrt(d) {dots.std() / math.sqrt(d):.1f}")

# %% [markdown]
# **Section 3.2.2**: MultiHead(Q, K, V) = Concat(head_1, ..., head_h) W^O, head_i = Attention(QW_i^Q, KW_i^K, VW_i^V).
#
# <!-- source: attention.py MultiHeadAttention -->
#
# Four linear layers of e x e numbers. The paper writes h small matrices W_i; here each layer holds those of all heads
# side by side, which is the same numbers and one multiplication. `keys_values` cuts the result into heads: `unflatten`
# turns the last axis e into (h, d), and no number moves. It is a method of its own so that a cache can call it.
#
# <!-- source: attention.py MultiHeadAttention.keys_values -->
#
# In `forward` the three inputs are three arguments, because they differ: in self-attention all are the same x; in
# cross-attention the query comes from the target, key and value from the encoder's memory. `flatten(2)` is
# the Concat: the axes h and d stand side by side, so (h, d) becomes e again, head after head. No transpose is needed,
# and so none can be forgotten.
#
# <!-- source: attention.py MultiHeadAttention.forward -->

# %%
torch.manual_seed(0)
layer = MultiHeadAttention(embed_size=8, heads=2)
x = torch.randn(2, length, 8)
with watch(layer) as seen:
    layer(x, x, x, trg_mask)
for name in ("queries", "keys", "values", "energy", "masked_energy", "attention", "heads_out", "out"):
    print(f"{name:14} {' '.join(seen[name].axes)}   {tuple(seen[name].shape)}")

# %% [markdown]
# ## 3. Positions
#
# **Section 3.5**. Attention is a sum over keys, and a sum has no order: without positions "dog bites man" is "man bites
# dog". So a vector that depends on the position alone is added to each word's.
#
# <!-- source: positions.py top -->
#
# The paper's own choice: PE(pos, 2i) = sin(pos / 10000^(2i/d_model)), PE(pos, 2i+1) = the cosine of the same. Sines
# and cosines alternate, which `stack` on a new last axis and `flatten` do. `start` is the first position: 0 in
# training, more where a cache holds the earlier ones.
#
# <!-- source: positions.py sinusoids -->

# %%
table = sinusoids(length=4, start=0, like=torch.zeros(1, 4, 8))
grid(table.tolist(), [f"pos {pos}" for pos in range(4)], ["sin", "cos"] * 4)
print("\nfrom position 2 on, the same rows:", torch.equal(sinusoids(2, 2, table[None]), table[2:]))

# %% [markdown]
# <!-- source: positions.py SinusoidalPositions -->
#
# The origin's choice is a table that is learned like the words. The paper tried both, with nearly equal results
# (Table 3, row E). A table has an end: position `max_length` does not exist.
#
# <!-- source: positions.py LearnedPositions -->
#
# And none at all, to see what is lost:
#
# <!-- source: positions.py NoPositions -->
#
# <!-- source: positions.py POSITIONS -->


# %%
def last_word_out(positions, sentence):
    """What the encoder makes of the last word."""
    torch.manual_seed(0)
    model = Transformer(10, 9, 0, 0, embed_size=8, num_layers=1, heads=2, positions=positions, dtype=torch.float64)
    return model.encode(ids(french, sentence))[0, -1]


for positions in ("learned", "sinusoidal", "none"):
    change = last_word_out(positions, "j' adore l' apprentissage") - last_word_out(
        positions, "adore l' j' apprentissage"
    )
    print(f"{positions:10} other order, other meaning: {bool(change.abs().max() > 1e-9)}")

# %% [markdown]
# ## 4. Blocks
#
# **Sections 3.1 and 3.3**: the boxes of figure 1.
#
# <!-- source: blocks.py top -->
#
# **Feed-forward** (3.3, equation 2): FFN(x) = max(0, xW_1 + b_1)W_2 + b_2, at each position by itself. Attention mixes
# words; this mixes channels. The paper's max(0, ...) is "relu".
#
# <!-- source: blocks.py FeedForward -->
#
# **Add & norm** (3.1): LayerNorm(x + Sublayer(x)), with dropout on the sublayer's output (5.4). The residual takes the
# sublayer as a function, so that the two places of the norm are two classes and a block is written once.
#
# <!-- source: blocks.py PostNorm -->
#
# Most later models norm first: x + Sublayer(LayerNorm(x)). The sum is then never normed, so gradients reach the bottom
# unhindered, and the stack needs one norm at its end.
#
# <!-- source: blocks.py PreNorm -->
#
# <!-- source: blocks.py RESIDUALS -->

# %%
x = torch.randn(1, length, 8) * 10
for residual in (PostNorm(8, dropout=0), PreNorm(8, dropout=0)):
    out = residual(x, lambda y: y)
    print(f"{type(residual).__name__:8} of vectors with spread {x.std():.0f}: spread {out.std():.0f}")

# %% [markdown]
# **The encoder's block** (3.1, left half of figure 1): the same x asks, answers and is mixed. `lambda y` because with
# pre-norm the sublayer gets the normed x.
#
# <!-- source: blocks.py EncoderBlock -->
#
# **The decoder's block** (3.1, right half) has a layer more in the middle: cross-attention (3.2.3, first item). The
# target asks, the source's memory answers, so its mask is the *source's*. Its keys are source words.
#
# <!-- source: blocks.py DecoderBlock -->

# %%
torch.manual_seed(0)
block = DecoderBlock(embed_size=8, heads=2, forward_size=16, dropout=0, norm="post", activation="relu")
memory = torch.randn(2, src.size(1), 8)  # stands in for an encoder
with watch(block) as seen:
    block(torch.randn(2, length, 8), memory, trg_mask, src_mask)
print("second sentence, first head: where the target's words look in the source (not trained)")
grid(seen["cross_attention.attention"].value[1, 0].tolist(), second, [french[i] for i in src[1]])

# %% [markdown]
# ## 5. The Transformer
#
# **Figure 1**, whole.
#
# <!-- source: transformer.py top -->
#
# **The encoder**: look up the words (times sqrt(d_model) if asked to, 3.4), add positions, drop out (5.4), and go
# through N blocks. What comes out is `memory`, (n, s, e): one vector for each source word, which knows the others.
#
# <!-- source: transformer.py Encoder -->
#
# **The decoder** does the same to the target, and each block also reads `memory`. The first new position is
# `trg_mask.size(3) - trg.size(1)`: all keys less the new ones, 0 without a cache.
#
# <!-- source: transformer.py Decoder -->
#
# **The whole.** The first eleven arguments are the origin's, with its names and defaults; the paper's are `**base()`.
# `given = locals()` gathers all of them for the config, which checks them (chapter 8). Tied embeddings (3.4) are one
# tensor under several names.
#
# <!-- source: transformer.py Transformer -->
#
# <!-- source: transformer.py Transformer.from_config -->
#
# <!-- source: transformer.py Transformer.device -->
#
# The two masks, as chapter 1 made them:
#
# <!-- source: transformer.py Transformer.make_src_mask -->
#
# <!-- source: transformer.py Transformer.make_trg_mask -->
#
# The source is read once, then the target as often as needed. That is why `encode` and `decode` are two methods.
#
# <!-- source: transformer.py Transformer.encode -->
#
# <!-- source: transformer.py Transformer.decode -->
#
# `forward` is for training: both, then the linear layer to the vocabulary (3.4). No softmax: cross-entropy has it.
#
# <!-- source: transformer.py Transformer.forward -->

# %%
torch.manual_seed(0)
model = Transformer(len(french), len(english), 0, 0, embed_size=8, num_layers=2, forward_expansion=2, heads=2)
memory = model.encode(src)
decoded = model.decode(given, memory, model.make_src_mask(src))
logits = model(src, trg[:, :-1])
print("memory  (n, s, e)", tuple(memory.shape))
print("decoded (n, t, e)", tuple(decoded.shape))
print("logits  (n, t, v)", tuple(logits.shape))
print("forward is fc_out of decode of encode:", torch.equal(logits, model.fc_out(decoded)))

# %% [markdown]
# The proof of the mask, on the whole model: change a word of the target, and no row before it changes. And of the
# other one: more padding, same answers.

# %%
model = model.double()
changed = given.clone()
changed[0, 3] = english.index("rains")  # instead of "deep"
moved = (model(src, changed) - model(src, given))[0].abs().amax(dim=1) > 1e-12
for word, changes in zip(words, moved, strict=True):
    print(f"row {word}: {'changes' if changes else 'the same'}")
longer = torch.cat([src, torch.zeros(2, 3, dtype=torch.long)], dim=1)
print(
    "three more columns of padding change nothing:", torch.allclose(model(longer, given), model(src, given), atol=1e-12)
)

# %% [markdown]
# Sentences that are too long are refused by name, before an index error could come from the position table:
#
# <!-- source: transformer.py check_length -->
#
# And where every number starts. A model that knows nothing should claim nothing: all v words equally likely, which is
# a loss of ln(v). A first loss far above says that the start is wrong.
#
# <!-- source: transformer.py initialise -->

# %%
small = {"embed_size": 64, "num_layers": 2, "heads": 4}
for name, sizes in (
    ("as the origin", small),
    ("tied embeddings", small | {"tie_embeddings": "two-way"}),
    ("norm first", small | {"norm": "pre"}),
    ("tiny()", tiny()),
):
    torch.manual_seed(0)
    fresh = Transformer(1000, 1000, 0, 0, **sizes).eval()
    tokens = torch.randint(1, 1000, (8, 21))
    loss = torch.nn.functional.cross_entropy(fresh(tokens, tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    print(f"first loss {loss:.1f}, ln(1000) = {math.log(1000):.1f}: {name}")

# %% [markdown]
# ## 6. The cache
#
# Not in the paper. Writing word by word, each step would compute the keys and values of all earlier words again; they
# cannot have changed, since no word sees a later one. So they are kept.
#
# <!-- source: cache.py top -->
#
# The module does not know about it: `MultiHeadAttention.forward` asks `cache.recall`, handing over its own
# `keys_values` to be called on what is new.
#
# <!-- source: cache.py SelfAttentionCache -->
#
# Cross-attention's keys belong to the source: made in the first step, and the same ever after.
#
# <!-- source: cache.py CrossAttentionCache -->
#
# <!-- source: cache.py LayerCache -->
#
# The tokens themselves are kept too: the mask needs to know which of the earlier ones are padding.
#
# <!-- source: cache.py Cache -->

# %%
memory, src_mask = model.encode(src), model.make_src_mask(src)
whole = model.decode(given, memory, src_mask)
cache, steps = Cache(num_layers=2), []
for position in range(given.size(1)):
    steps.append(model.decode(given[:, position : position + 1], memory, src_mask, cache))
    kept = cache.layers[0].self_attention.kept[0]
    print(f"step {position}: 1 new token, keys kept (n, k, h, d) {tuple(kept.shape)}")
print("step by step = all at once:", torch.allclose(torch.cat(steps, dim=1), whole, atol=1e-12))

# %% [markdown]
# ## 7. The fused attention
#
# The same function once more, in one kernel of PyTorch that never writes the energies to memory. Same arguments, same
# result; only the order of the axes differs on the way in and out.
#
# <!-- source: fused.py top -->
#
# <!-- source: fused.py fused_attention -->
#
# Which of the two a model uses is set from outside, by exchanging `attend`; no parameter changes.
#
# <!-- source: fused.py use_attention -->
#
# <!-- source: fused.py use_fused -->
#
# <!-- source: fused.py use_written -->

# %%
written_out = model(src, given)
names = list(model.state_dict())
use_fused(model)
print("the same numbers:", torch.allclose(model(src, given), written_out, atol=1e-12))
print("the same parameters:", list(model.state_dict()) == names)

# %% [markdown]
# ## 8. Sizes and choices
#
# Not for understanding the model, but where its choices are named and checked, once, with a way out in every message.
#
# <!-- source: config.py top -->
#
# <!-- source: config.py StackSizes -->
#
# <!-- source: config.py TransformerConfig -->
#
# <!-- source: config.py TransformerConfig.encoder -->
#
# <!-- source: config.py TransformerConfig.__post_init__ -->
#
# <!-- source: config.py at_least_one -->
#
# The presets are the paper's Table 3, and one that a laptop trains in a minute:
#
# <!-- source: config.py origin -->
#
# <!-- source: config.py tiny -->

# %%
try:
    Transformer(10, 10, 0, 0, embed_size=512, heads=7)
except ValueError as error:
    print(error)
for preset in (origin, base, big, tiny):
    sized = Transformer(37000, 37000, 0, 0, **preset())
    millions = sum(parameter.numel() for parameter in sized.parameters()) / 1e6
    print(f"{preset.__name__:6} {millions:6.1f} million parameters with 37,000 entries in each vocabulary")

# %% [markdown]
# That was all of it. Next: [train it on your own files](guides/train.md), [look inside a trained one](guides/look.md),
# [write it yourself](guides/learn.md), with a checker that names your mistakes, or go through the
# [confusions](confusions.md) of those who were here before.
