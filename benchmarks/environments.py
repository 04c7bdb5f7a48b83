"""One virtual environment for each peer, with the versions in its file; made once, kept in .cache/bench."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "benchmarks" / "peers"
HOME = ROOT / ".cache" / "bench"
NAMES = ("torch_nn", "marian", "x_transformers", "joeynmt", "opennmt_py", "ctranslate2")


class Failed(Exception):
    """Why a peer cannot be measured on this machine."""


def python_of(peer: str) -> Path:
    """The interpreter of the peer's environment, which is made if it is absent or its versions have changed.

    Raises Failed with pip's own reason.
    """
    folder, versions = HOME / peer, PEERS / f"{peer}.txt"
    wanted = versions.read_text(encoding="utf-8")
    python, installed = folder / "bin" / "python", folder / "installed.txt"
    if installed.exists() and installed.read_text(encoding="utf-8") == wanted:
        return python
    HOME.mkdir(parents=True, exist_ok=True)
    (HOME / ".gitignore").write_text("*\n", encoding="utf-8")
    run([sys.executable, "-m", "venv", "--clear", str(folder)])
    run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(versions)])
    installed.write_text(wanted, encoding="utf-8")
    return python


def run(command: list[str], environment: dict[str, str] | None = None) -> str:
    """What the command prints. Raises Failed with the last line of its complaint."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    if done.returncode:
        complaint = [line for line in done.stderr.splitlines() if line.strip() and "WARNING" not in line]
        raise Failed((complaint or ["no reason given"])[-1].strip())
    return done.stdout
