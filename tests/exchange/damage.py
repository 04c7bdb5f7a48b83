"""What happens to files."""

import random


def damaged(content: bytes, draw: random.Random) -> bytes:
    """Cut, with a flipped bit, with bytes overwritten, or with a piece twice; near the front, where names are, too."""
    place = draw.randrange(draw.choice([len(content), min(300, len(content))]))
    kind = draw.randrange(4)
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :]
    if kind == 2:
        return content[:place] + draw.randbytes(4) + content[place + 4 :]
    return content[: place + 20] + content[place:]
