"""Runs ministack in its own environment, with two things it lacks of itself.

Its root is a key nobody can guess, read from a file: of itself it takes anybody who says "test" for root, unsigned. And
what IAM, STS and the buckets hold is saved
before each change is answered: of itself it saves only when it is asked to end, and kill -9 would lose every user made
since.
"""

import hmac
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypedDict

from ministack.core import iam_evaluator

ROOT = Path(sys.argv.pop(1)).read_text()
os.environ["AWS_ACCESS_KEY_ID"] = ROOT
# before any module takes the function by name; a request of this key is not asked for a signature
iam_evaluator.is_root_access_key = lambda key: hmac.compare_digest(key.encode(), ROOT.encode())

from ministack import app as server  # noqa: E402
from ministack.core.persistence import save_state  # noqa: E402
from ministack.services import iam, s3, sts  # noqa: E402


class Scope(TypedDict):
    """What the server says of a request (ASGI 3)."""

    type: str
    method: str
    path: str
    headers: list[tuple[bytes, bytes]]


Receive = Callable[[], Awaitable[object]]
Send = Callable[[dict[str, object]], Awaitable[None]]


def _sessions() -> dict[str, object]:
    return {"sessions": dict(sts._sessions)}


def _restore_sessions(data: dict[str, dict[str, object]]) -> None:
    sts._sessions.update(data.get("sessions", {}))


# a session lasts for a try of a task: losing them would fail every task that runs
sts.get_state, sts.load_persisted_state = _sessions, _restore_sessions
answer = server.app


def _save(scope: Scope) -> None:
    credential = dict(scope["headers"]).get(b"authorization", b"")
    if b"/iam/aws4_request" in credential:
        save_state("iam", iam.get_state())
    elif b"/sts/aws4_request" in credential:
        save_state("sts", sts.get_state())
    elif "/" not in scope["path"].strip("/"):  # of a bucket itself; objects are saved one by one
        save_state("s3", s3.get_state())


async def answer_saved(scope: Scope, receive: Receive, send: Send) -> None:
    async def saved(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start" and scope["method"] not in ("GET", "HEAD"):
            _save(scope)
        await send(message)

    await answer(scope, receive, saved if scope["type"] == "http" else send)


server.app = answer_saved
server.main()
