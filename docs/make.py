"""Write every page that is made from the program: python docs/make.py"""

import runpy
from pathlib import Path

MAKERS = (
    "make_confusions.py", "make_tour.py", "make_cards.py", "make_mistakes.py", "make_differences.py", "make_runs.py",
    "make_speed.py",
)  # fmt: skip

if __name__ == "__main__":
    for maker in MAKERS:
        print(f"docs/{maker}")
        runpy.run_path(str(Path(__file__).parent / maker), run_name="__main__")
