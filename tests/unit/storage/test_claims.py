"""Duties of which a replica has one."""

import threading

import pytest

from salesforce_sync.errors import Taken
from salesforce_sync.storage.claims import Claims


def test_who_only_looks_whether_a_duty_is_held_keeps_nobody_from_it(tmp_path):
    """`status` at the wrong instant ended a daemon that was just starting: it was told that one runs already."""
    claims, done = Claims(tmp_path), threading.Event()
    with claims.duty("daemon", "earlier"):
        pass

    def look():
        while not done.is_set():
            claims.is_held("daemon")

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(50):
            with claims.duty("daemon", "me"):
                assert claims.is_held("daemon")
    finally:
        done.set()
        looking.join()


def test_a_duty_that_somebody_has_is_refused_with_his_name(tmp_path):
    claims = Claims(tmp_path)
    with (
        claims.duty("daemon", "process 7 of pi"),
        pytest.raises(Taken, match="process 7 of pi"),
        claims.duty("daemon", "me"),
    ):
        pass
