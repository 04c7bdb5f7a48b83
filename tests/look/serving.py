"""A real server on a free port of this machine, and plain HTTP to it."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any, NamedTuple

import numpy as np
import torch
import uvicorn
from torch import Tensor

from glassformer.checkpoint import Config, Loaded
from glassformer.data import Vocabularies, Vocabulary
from glassformer.look.server.serve import listening, server_of
from glassformer.look.server.web import page_app
from tests.small import small_model

WORDS = ["a b c d e f g", "g f e d c b a"]
KINDS = {"Float32Array": torch.float32, "Int32Array": torch.int64, "Uint8Array": torch.bool}


def small_loaded(**choices: Any) -> Loaded:
    """A model with vocabularies of seven symbols, and a decoding config of its own."""
    vocabulary = Vocabulary.train(WORDS, kind="symbols", size=16)
    model = small_model(src_vocab_size=11, trg_vocab_size=11, **choices)
    decoding = {"max_extra": 4, "forbidden_ids": [3]}
    return Loaded(
        model, Vocabularies(vocabulary, vocabulary), Config(model=model.config, data={}, decoding=decoding, run={})
    )


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error(self) -> str:
        """What a refusal says."""
        message: str = json.loads(self.body)["error"]
        return message

    @property
    def header(self) -> Any:
        return json.loads(self.body[4 : 4 + self.length])

    @property
    def numbers(self) -> Tensor:
        return torch.from_numpy(np.frombuffer(self.body[4 + self.length :], "<f4").copy())

    @property
    def length(self) -> int:
        return int.from_bytes(self.body[:4], "little")

    @property
    def taps(self) -> dict[str, Tensor]:
        return {
            name: self.numbers[place : place + int(np.prod(shape))].view(shape).to(KINDS[kind])
            for name, shape, place, kind in self.header["taps"]
        }


class Client:
    """Asks as the page does, unless told otherwise."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.host = f"127.0.0.1:{port}"

    def request(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {"Host": self.host} | dict(headers))
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def post(self, path: str, question: Any, **headers: str) -> Answer:
        usual = {"Origin": f"http://{self.host}", "Content-Type": "application/json"}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        body = question if isinstance(question, bytes) else json.dumps(question).encode()
        return self.request("POST", path, body, usual | given)


@contextmanager
def serving(models: Mapping[str, Loaded], html: str) -> Iterator[Client]:
    """The application on a free port while the block runs."""
    with listening(0) as listener:
        port = listener.getsockname()[1]
        server: uvicorn.Server = server_of(page_app(models, html, port))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Client(port)
        finally:
            server.should_exit = True
            thread.join(timeout=30)
