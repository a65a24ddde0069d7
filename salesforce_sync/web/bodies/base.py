"""What all bodies are made of."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta


class Body(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """JSON in camelCase."""


ApiName = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$")]
Values = Annotated[dict[str, Any], Meta(description="Values by API or Python name of the field")]
Record = Annotated[dict[str, Any], Meta(description="Values by API name of the field")]
