"""Bring a public file here, once: into a folder the user gave, or a cache in the home folder.

A download is written beside its final name, checked, and renamed: a file with its final name is whole.
"""

import contextlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from glassformer import __version__
from glassformer.errors import UserError

Progress = Callable[[str, int, int | None], None]  # name of the file, bytes so far, bytes in all where known

TIMEOUT = 30.0  # seconds without a byte
CHUNK = 64 * 1024
# Some homes of public data turn away the names of download libraries; this says truly who asks.
USER_AGENT = f"Mozilla/5.0 (compatible; glassformer/{__version__})"


def cache_folder() -> Path:
    """Where downloads and encoded text are kept: GLASSFORMER_CACHE, or ~/.cache/glassformer."""
    return Path(os.environ.get("GLASSFORMER_CACHE") or Path.home() / ".cache" / "glassformer")


def given_folder(data_dir: str | os.PathLike[str] | None) -> Path | None:
    """The data folder the user gave, by argument or by GLASSFORMER_DATA; None where data should be downloaded."""
    folder = data_dir or os.environ.get("GLASSFORMER_DATA")
    if not folder:
        return None
    if not Path(folder).is_dir():
        raise UserError(f"the data folder {folder} does not exist. Give another, or none to download what is needed.")
    return Path(folder)


def download(
    url: str,
    path: Path,
    *,
    accept: Callable[[Path], None],
    progress: Progress | None = None,
    timeout: float = TIMEOUT,
) -> None:
    """Download `url` to `path`, which exists afterwards only if it is whole and `accept` did not raise.

    Raises UserError, naming the address and what to do by hand, for every failure of the network.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    working = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with contextlib.ExitStack() as stack:
            request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT})
            response = stack.enter_context(urllib.request.urlopen(request, timeout=timeout))
            length = response.headers.get("Content-Length")
            total = int(length) if length else None
            done = 0
            with working.open("wb") as file:
                while chunk := response.read(CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    if progress:
                        progress(path.name, done, total)
        if total is not None and done != total:
            raise _failed(url, path, f"it ended after {done} of {total} bytes")
        accept(working)
        working.replace(path)
    except urllib.error.HTTPError as error:
        error.close()
        raise _failed(url, path, f"the server says {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise _failed(url, path, str(error.reason)) from error
    except TimeoutError as error:
        raise _failed(url, path, f"nothing came for {timeout:g} seconds") from error
    except (OSError, http.client.HTTPException) as error:
        raise _failed(url, path, str(error) or type(error).__name__) from error
    finally:
        working.unlink(missing_ok=True)


def _failed(url: str, path: Path, reason: str) -> UserError:
    return UserError(
        f"cannot download {url}: {reason}. Try again, or download it in a browser and give its folder with "
        f"--data-dir FOLDER (there, it must lie in {path.parent.name}/)."
    )
