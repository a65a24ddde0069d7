"""The page on which a browser logs in, with a token or a one-time link; and the one that an org sends it back to."""

from __future__ import annotations

from importlib import resources
from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

_FILES: Final = {
    "/login": ("login.html", "text/html"),
    "/login/login.js": ("login.js", "text/javascript"),
    "/login/login.css": ("reference.css", "text/css"),
    "/connect/callback": ("callback.html", "text/html"),
    "/connect/callback.js": ("callback.js", "text/javascript"),
}


def login_page(app: FastAPI) -> None:
    """Serve `/login` and what it needs."""
    for path, (name, media) in _FILES.items():
        _serve(app, path, resources.files(__package__).joinpath(name).read_bytes(), media)


def _serve(app: FastAPI, path: str, body: bytes, media: str) -> None:
    async def file(request: Request) -> Response:
        return Response(body, media_type=media, headers={"Cache-Control": "no-cache"})

    app.add_route(path, file, include_in_schema=False)
