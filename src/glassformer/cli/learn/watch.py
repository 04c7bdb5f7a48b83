"""`glassformer learn`, without a word more: check the exercise at hand whenever a file is saved, until q."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from rich.text import Text

from glassformer.cli.common import out
from glassformer.cli.learn import show
from glassformer.cli.learn.keys import Keys
from glassformer.learn import progress as state
from glassformer.learn.checker.runner import Child, check_with
from glassformer.learn.checker.verdict import Verdict
from glassformer.learn.course import course, find
from glassformer.learn.exercise import Texts

PAUSE = 0.05  # seconds between two looks at the files and the keyboard
HELP = "n next · h hint · e explain · l list · c check all · r run again · q quit"


class Saved:
    """Which of a folder's files were saved since the last look.

    Looks at twenty files twenty times a second, which costs nothing to speak of, instead of asking the system to tell:
    editors that replace files, WSL, network drives and containers then all behave alike.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known = {texts.file for texts in course()}
        self.stamps = self.last_look = self._stamps()

    def _stamps(self) -> dict[str, tuple[int, int]]:
        stamps = {}
        for file in self.folder.glob("e[0-9][0-9]_*.py"):
            try:
                stat = file.stat()
            except OSError:  # being replaced right now
                continue
            stamps[file.name] = (stat.st_mtime_ns, stat.st_size)
        return stamps

    def files(self) -> set[str]:
        """Those that are as they were at the last look and not as before: an editor may be in the middle of writing."""
        before_last, self.last_look = self.last_look, self._stamps()
        if self.last_look == self.stamps or self.last_look != before_last:
            return set()
        before, self.stamps = self.stamps, self.last_look
        return {name for name, stamp in self.stamps.items() if name in self.known and before.get(name) != stamp}


class Watch:
    """One sitting: which exercise is at hand, the process that is warm for it, and what was last said of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.verdict: Verdict | None = None
        self.texts = find(self.progress().current)
        self.child = Child(self.texts)

    def progress(self) -> state.Progress:
        return state.read(self.folder)[0]

    def run(self) -> None:
        """Until q or Ctrl-C."""
        with Keys() as keys:
            self.keys = keys
            saved = Saved(self.folder)  # before the first check: what is saved during it is checked after it
            self.check()
            while True:
                if files := saved.files():
                    self.turn_to(find(min(files)))
                key = keys.pressed()
                if key == "q":
                    return
                if key and key in self.answers:
                    self.answers[key](self)
                time.sleep(PAUSE)

    def check(self) -> None:
        """Check, remember, show; and warm the next process up."""
        out.print(Text(f"checking {self.texts.file} ...", style="dim"))
        self.verdict = check_with(self.child, self.texts, self.folder)
        self.child.close()
        self.child = Child(self.texts)
        progress = self.progress()
        progress.note(self.texts, self.verdict.outcome)
        progress.current = self.texts.number
        state.write(self.folder, progress)
        self.keys.drop()  # those pressed while nobody was listening
        self.show()

    def show(self, *, whole: bool = False) -> None:
        assert self.verdict is not None
        out.clear()
        out.print(show.task_view(self.texts, self.folder / self.texts.file))
        out.print()
        out.print(show.verdict_view(self.verdict, self.texts, whole=whole))
        out.print()
        if whole:
            show.prose(self.texts.explanation)
            out.print()
        self.foot()

    def foot(self) -> None:
        """The progress bar, what to do next, and the keys."""
        progress = self.progress()
        out.print(show.bar(progress))
        if progress.next_open() is None:
            out.print(Text("All exercises are done. Next: glassformer learn debug D1", style="bold green"))
        elif self.verdict and self.verdict.outcome == "passed":
            out.print(Text("Done: press n for the next exercise.", style="bold green"))
        out.print(Text(HELP, style="dim"))

    def next(self) -> None:
        """Go on to the next open exercise."""
        following = self.progress().next_open(after=self.texts.number)
        if following is not None:
            self.turn_to(following)

    def turn_to(self, texts: Texts) -> None:
        """Check this exercise, at hand from now on."""
        if texts is not self.texts:
            self.texts = texts
            self.child.close()
            self.child = Child(texts)
        self.check()

    def hint(self) -> None:
        """One hint more than before."""
        progress = self.progress()
        shown = progress.one_more_hint(self.texts)
        state.write(self.folder, progress)
        self.show()
        for number, text in enumerate(self.texts.hints[:shown], start=1):
            show.prose(Text.assemble((f"hint {number}  ", "bold"), text))

    def list(self) -> None:
        out.clear()
        out.print(show.list_view(self.progress()))
        out.print(Text(HELP, style="dim"))

    def check_all(self) -> None:
        from glassformer.cli.learn.commands import check_every_exercise

        out.clear()
        check_every_exercise(self.folder)
        self.keys.drop()
        self.foot()

    answers: ClassVar[dict[str, Callable[["Watch"], None]]] = {
        "n": next,
        "h": hint,
        "e": lambda self: self.show(whole=True),
        "l": list,
        "c": check_all,
        "r": check,
    }
