"""`glassformer look MODEL --serve`: the page from 127.0.0.1, with the model behind it, for any size."""

import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from glassformer.checkpoint import Loaded
from glassformer.errors import UserError
from glassformer.look.export import page_html
from glassformer.look.pages import payload_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from uvicorn import Server

LOOPBACK = "127.0.0.1"
SECONDS_OF_GRACE = 2  # after Ctrl-C, for an answer under way


def serve(
    loaded: Loaded,
    sentence: str | None = None,
    port: int = 8000,
    announce: Callable[[str], object] = lambda address: None,
    *,
    folder: Path | None = None,
) -> None:
    """Serve the page of a model until Ctrl-C; `announce` is called with its address as soon as it can be opened.

    Port 0 takes a free one. Raises UserError where the extra `web` is not installed or the port is taken, and as
    `page_of`.
    """
    try:
        import uvicorn  # noqa: F401

        from glassformer.look.server.web import page_app
    except ImportError as error:
        raise UserError(
            "--serve needs FastAPI and uvicorn, which are not installed: pip install 'glassformer[web]'"
        ) from error

    with listening(port) as listener:
        port = listener.getsockname()[1]
        server = server_of(page_app({"main": loaded}, served_page(loaded, sentence, folder), port))
        with suppress(KeyboardInterrupt):
            announce(f"http://{LOOPBACK}:{port}/")
            server.run(sockets=[listener])


def server_of(app: "ASGIApp") -> "Server":
    """uvicorn without its log, its name and all that the page does not need."""
    from uvicorn import Config, Server

    return Server(
        Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            limit_concurrency=64,
            timeout_graceful_shutdown=SECONDS_OF_GRACE,
        )
    )


def listening(port: int) -> socket.socket:
    """A socket that waits on the loopback interface, where no other machine reaches it."""
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        raise UserError(f"port {port} cannot be used here ({error.strerror}). Try another --port, or 0.") from error


def served_page(loaded: Loaded, sentence: str | None = None, folder: Path | None = None) -> str:
    """The page that asks its server for all that the model computes; sisters and checkpoints compute in it."""
    payload, blobs = payload_of(loaded, sentence, folder=folder)
    kept = {entry["blob"] for entry in payload["models"][1:]}
    payload["models"][0]["blob"] = None
    payload |= {"server": True, "live": False, "reference": None, "recording": None}
    return page_html(payload, {name: blob for name, blob in blobs.items() if name in kept}, connect=True)
