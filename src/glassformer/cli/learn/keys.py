"""Single keys from a terminal, without waiting for Enter and without waiting at all."""

import sys
from types import TracebackType


class Keys:
    """While it is open, `pressed()` says which key was pressed, if any; on closing, the terminal is as before."""

    def __enter__(self) -> "Keys":
        if sys.platform != "win32":
            import termios
            import tty

            self._before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if sys.platform != "win32":
            import termios

            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    def pressed(self) -> str:
        """The next key that waits; an empty string where none does."""
        if sys.platform == "win32":
            import msvcrt

            return msvcrt.getwch() if msvcrt.kbhit() else ""
        import os
        import select

        waiting, _, _ = select.select([sys.stdin], [], [], 0)
        return os.read(sys.stdin.fileno(), 1).decode(errors="replace") if waiting else ""

    def drop(self) -> None:
        """Forget the keys pressed while something else was going on."""
        while self.pressed():
            pass
