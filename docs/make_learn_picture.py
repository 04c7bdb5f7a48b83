"""Draw what the course says of a wrong answer, from a real check: python docs/make_learn_picture.py"""

import tempfile
from pathlib import Path

from rich.console import Group
from rich.text import Text

from glassformer.cli.learn import show
from glassformer.cli.learn.watch import HELP
from glassformer.learn import progress
from glassformer.learn.checker.check import check
from glassformer.learn.course import course, find, task
from glassformer.look import export_svg

PICTURE = Path(__file__).parent / "pictures" / "learn.svg"
ANSWER = """\
    energy = einsum("nqhd,nkhd->nhqk", queries, keys) / queries.size(-1)
    return einsum("nhqk,nkhm->nqhm", energy.softmax(dim=-1), values)
"""


def main() -> None:
    texts = find("attention")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        answer = task(texts).replace("    raise NotImplementedError\n", ANSWER)
        (folder / texts.file).write_text(answer.replace("import Tensor", "import Tensor, einsum"), encoding="utf-8")
        verdict = check(texts, folder)
    state = progress.Progress(passed={each.number: progress.now() for each in course() if each.number < texts.number})
    drawing = Group(
        show.task_view(texts, Path(texts.file)),
        Text(),
        show.verdict_view(verdict, texts, whole=True),
        Text(),
        show.bar(state),
        Text(HELP, style="dim"),
    )
    export_svg(drawing, PICTURE, title="glassformer learn", width=100)


if __name__ == "__main__":
    main()
