"""What happens to files, and what a reader may make of it."""

import random
from collections.abc import Callable
from pathlib import Path

from glassformer.errors import UserError


def outcomes(read: Callable[[], object], folder: Path, files: list[str]) -> set[str]:
    """How `read` ends while one of the files is damaged, 220 times in another way: "read", "refused", or it raises."""
    draw, found = random.Random(0), set()
    whole = {name: (folder / name).read_bytes() for name in files}
    for _ in range(220):
        name = draw.choice(files)
        (folder / name).write_bytes(damaged(whole[name], draw))
        try:
            read()
        except UserError:
            found.add("refused")
        else:
            found.add("read")
        (folder / name).write_bytes(whole[name])
    return found


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
