"""What to do about a login that was refused: told of what was sent, and not of where a command line has it from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from salesforce_sync.errors import LoginRefused

SETTINGS: Final = {
    "client_id": "SF_CLIENT_ID",
    "client_secret": "SF_CLIENT_SECRET",
    "refresh_token": "SF_REFRESH_TOKEN",
    "login_url": "SF_LOGIN_URL",
    "username": "SF_USERNAME",
    "instance_url": "salesforce.instance_url",
}
"""What a hint names, by what may be sent in its place."""

_NAMED: Final = re.compile("|".join(re.escape(each) + r"\b" for each in SETTINGS.values()))


@contextmanager
def told_by(sent: Mapping[str, str]) -> Iterator[None]:
    """In the block a login is tried; `sent`: what its caller calls each of `SETTINGS` that he has sent himself.

    What he has not sent is the server's own: that goes on being named by its setting.
    """
    names = {SETTINGS[key]: name for key, name in sent.items()}
    try:
        yield
    except LoginRefused as error:
        error.hint = _NAMED.sub(lambda found: names.get(found[0], found[0]), error.hint)
        raise
