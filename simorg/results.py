"""The org's answer for one row of a write."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simorg.http import ApiError


@dataclass(frozen=True, slots=True)
class Saved:
    """The row was written."""

    id: str
    created: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """The row was refused; `status` is the HTTP status when it is the only row of a request."""

    code: str
    message: str
    fields: tuple[str, ...] = ()
    status: int = 400
    id: str | None = None
    extra: Mapping[str, Any] | None = None

    def error(self) -> ApiError:
        """Return the failure as the error of a whole request."""
        return ApiError(self.status, self.code, self.message, self.fields, self.extra)


Result = Saved | Failure


class Refused(Exception):
    """A write rule was broken; becomes the Failure of its row."""

    def __init__(self, code: str, message: str, *fields: str, status: int = 400) -> None:
        super().__init__(message)
        self.failure = Failure(code, message, fields, status)


class OrgError(Exception):
    """What Python code asked of the org was refused; `failure` tells why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.code}: {failure.message}")
        self.failure = failure
