"""Every common confusion as something to run: wrong beside right, with the numbers computed when it is shown.

confusion: what one is made of · catalogue: all of them · masks, attention, layers, training, decoding, habits: the
confusions by theme · run: executes the code that is shown · values, terminal, page: how it is drawn.
"""
