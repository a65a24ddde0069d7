"""Answers every request with the bytes of FILE: what uvicorn takes by itself. Writes its process and port to READY."""

import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn

body, ready = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2])
head = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]


async def app(scope: Any, receive: Any, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


listener = socket.create_server(("127.0.0.1", 0))
aside = ready.with_suffix(".new")
aside.write_text(json.dumps({"pid": os.getpid(), "port": listener.getsockname()[1]}))
aside.rename(ready)
uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False)).run(sockets=[listener])
