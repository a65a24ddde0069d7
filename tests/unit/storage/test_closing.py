"""Connections: closed by one thread while another is at work."""

from __future__ import annotations

import threading
import time

import apsw
import pytest

from salesforce_sync.errors import StoreTrouble
from salesforce_sync.storage.connections import Connections

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.mark.parametrize("way", ["reader", "looking"])
def test_closing_ends_what_another_thread_is_in_the_middle_of(tmp_path, way):
    """A service that is told to stop ends, whoever still reads."""
    connections = Connections(tmp_path / "replica.db")
    ended, begun = [], threading.Event()

    def read():
        try:
            if way == "reader":
                begun.set()
                connections.reader().execute(ENDLESS).fetchall()
            while True:
                with connections.looking() as db:
                    begun.set()
                    db.execute("SELECT count(*) FROM sqlite_master").fetchall()
        except (apsw.Error, StoreTrouble) as error:
            ended.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    begun.wait()
    time.sleep(0.05)
    began = time.monotonic()
    connections.close()

    assert time.monotonic() - began < 3
    thread.join(5)
    assert isinstance(ended[0], apsw.InterruptError if way == "reader" else StoreTrouble)
