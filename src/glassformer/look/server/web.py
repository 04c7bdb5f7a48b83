"""The served page over HTTP; imported only where the extra `web` is installed.

It answers this machine alone, and its own page alone: a foreign Host means that another site's name was pointed at
this machine, a foreign Origin that another site's script asks.
"""

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glassformer.checkpoint import Loaded
from glassformer.errors import UserError
from glassformer.look.server.asked import Asked, AskedAnswer, AskedPass, Refused, Served

MOST_BYTES = 256 * 1024  # of a request's body
READ_ON = 16 * MOST_BYTES  # a longer body is read so far, as most clients listen only when they have sent all
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",  # all else is in the page itself
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Question = TypeVar("Question", bound=Asked)


def page_app(models: Mapping[str, Loaded], html: str, port: int) -> ASGIApp:
    """GET / is the page; POST /pass, /write and /weights ask the models by their ids. Nothing else is there.

    `port` is the one on this machine that it will be reached at.
    """
    served = {name: Served.of(loaded) for name, loaded in models.items()}
    one_at_a_time = Lock()
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    def computed(asked: Question, answer: Callable[[Served, Question], bytes]) -> bytes:
        if asked.model not in served:
            raise Refused(404, "model: there is no model of that id.")
        with one_at_a_time:
            try:
                return answer(served[asked.model], asked)
            except UserError as error:
                if isinstance(asked, AskedPass) and asked.edits:  # the error would repeat what was sent
                    message = "edits: one of them does not fit its value: see its kind, head, channel, and other."
                    raise Refused(422, message) from error
                raise Refused(422, str(error)) from error

    async def answered(request: Request, kind: type[Question], answer: Callable[[Served, Question], bytes]) -> Response:
        asked = parsed(kind, await body_of(request))
        content = await run_in_threadpool(computed, asked, answer)
        return Response(content, media_type="application/octet-stream")

    @app.get("/")
    async def page() -> Response:
        return HTMLResponse(html)

    @app.post("/pass")
    async def one_pass(request: Request) -> Response:
        return await answered(request, AskedPass, Served.answer_pass)

    @app.post("/write")
    async def write(request: Request) -> Response:
        return await answered(request, AskedAnswer, Served.answer)

    @app.post("/weights")
    async def weights(request: Request) -> Response:
        return await answered(request, Asked, Served.weights)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return said(error.status, str(error))

    @app.exception_handler(HTTPException)
    async def not_here(request: Request, error: HTTPException) -> Response:
        return said(error.status_code, "here are GET /, and POST /pass, /write and /weights.", error.headers)

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        return said(500, "this could not be computed; the terminal says why.")

    return OwnPageOnly(app, port)


class OwnPageOnly:
    """Refuses what does not come from the page itself, and gives every answer its headers."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app = app
        names = ("127.0.0.1", "localhost", "[::1]")
        self.hosts = {f"{name}:{port}" for name in names} | (set(names) if port == 80 else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await (self.refusal(scope) or self.app)(scope, receive, send_with_headers)

    def refusal(self, scope: Scope) -> Response | None:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        hosts, origins, types = (
            [value for name, value in headers if name == wanted] for wanted in ("host", "origin", "content-type")
        )
        if len(hosts) != 1 or hosts[0] not in self.hosts:
            return said(403, "this page is served to this machine alone, as 127.0.0.1 or localhost.")
        if scope["method"] == "POST" and origins != [f"http://{hosts[0]}"]:
            return said(403, "only the page itself may ask: another Origin is refused.")
        if scope["method"] == "POST" and types != ["application/json"]:
            return said(415, "the body must be application/json.")
        return None


def said(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": message}, status, headers)


async def body_of(request: Request) -> bytes:
    """The body. Raises Refused where it is too long."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= MOST_BYTES:
            parts.append(part)
        elif size > READ_ON:
            break
    if size > MOST_BYTES:
        raise Refused(413, f"the body is longer than {MOST_BYTES} bytes.")
    return b"".join(parts)


def parsed(kind: type[Question], body: bytes) -> Question:
    """The question in a body. Raises Refused that names the part and the rule."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        last: Any = error.errors(include_input=False, include_url=False)[-1]  # of a text or ids: the ids' rule
        if last["type"] == "json_invalid":
            raise Refused(400, "the body is not JSON.") from error
        part = last["loc"][0] if last["loc"] and last["loc"][0] in kind.model_fields else "the body"
        raise Refused(422, f"{part}: {last['msg']}.") from error
