"""Serves 100 contacts of DATABASE as FastAPI does by itself, and writes its process and port to the file READY.

Rows are read with apsw, made dicts, and given to FastAPI's own encoder. No user, no filter, no count.
"""

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import apsw
import uvicorn
from fastapi import FastAPI

from benchmarks.columns import NAMES

database, ready = apsw.Connection(sys.argv[1]), Path(sys.argv[2])
columns = ", ".join(f'"{name}"' for name in NAMES)
app = FastAPI()


@app.get("/records", response_model=None)
async def records() -> list[dict[str, Any]]:
    rows = database.execute(f'SELECT {columns} FROM Contact ORDER BY "Id" LIMIT 100')
    return [dict(zip(NAMES, row, strict=True)) for row in rows]


listener = socket.create_server(("127.0.0.1", 0))
aside = ready.with_suffix(".new")
aside.write_text(json.dumps({"pid": os.getpid(), "port": listener.getsockname()[1]}))
aside.rename(ready)
uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])
