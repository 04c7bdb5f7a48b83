"""The paper in code. Read it in this order: masks, attention, positions, blocks, transformer, cache, fused, config.

One letter names one axis everywhere:
n sentences in the batch, s source positions, t target positions, q query positions, k key positions,
h heads, d channels of one head, e embed_size, f feed-forward width, v vocabulary.
"""
