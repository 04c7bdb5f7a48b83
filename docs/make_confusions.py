"""Write docs/confusions.md: every confusion of `glassformer why`, with the numbers that its code gives.

python docs/make_confusions.py
"""

from pathlib import Path

from glassformer.learn.why.catalogue import CONFUSIONS
from glassformer.learn.why.page import page

PAGE = Path(__file__).parent / "confusions.md"

if __name__ == "__main__":
    demonstrations = [confusion.demonstrate() for confusion in CONFUSIONS]
    PAGE.write_text(page(demonstrations), encoding="utf-8", newline="\n")
