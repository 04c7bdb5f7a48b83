"""One virtual environment for each peer, with the versions in its file; made once, kept in build/bench.

torch itself comes from wherever pip is told to look: the same version is built for CPUs alone and for GPUs, and the
builds for GPUs bring packages of their own, which no file lists. The page names the build that was measured.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "benchmarks" / "peers"
HOME = ROOT / "build" / "bench"  # not .cache, which the site's builder empties
EXPORTED = HOME / "exported"  # our model as CTranslate2 reads it, in a folder for each kind of numbers
NAMES = ("torch_nn", "marian", "x_transformers", "joeynmt", "opennmt_py", "ctranslate2")


class Failed(Exception):
    """Why a peer cannot be measured on this machine."""


def python_of(peer: str) -> Path:
    """The interpreter of the peer's environment, which is made if it is absent or its versions have changed.

    Raises Failed with pip's own reason.
    """
    folder, versions = HOME / peer, PEERS / f"{peer}.txt"
    python, installed = folder / "bin" / "python", folder / "installed.txt"
    if installed.exists() and pins(installed) == pins(versions):
        return python
    run([sys.executable, "-m", "venv", "--clear", str(folder)])
    run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(versions)])
    shutil.copyfile(versions, installed)
    return python


def pins(versions: Path) -> list[str]:
    """The lines package==version of a file, without its comments."""
    lines = (line.partition("#")[0].strip() for line in versions.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def run(command: list[str], environment: dict[str, str] | None = None) -> str:
    """What the command prints. Raises Failed with the last line of its complaint."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    if done.returncode:
        complaint = [line for line in done.stderr.splitlines() if line.strip() and "WARNING" not in line]
        raise Failed((complaint or ["no reason given"])[-1].strip())
    return done.stdout
