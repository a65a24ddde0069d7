"""Change events of contacts: URL CLIENT_ID CLIENT_SECRET EVENTS_URL FOLDER live|missed COUNT RATE.

live: COUNT seconds of RATE updates a second; tells the median and the 99th percentile of milliseconds from the org's
commit to the committed row here. missed: COUNT updates while nobody follows; tells wall and CPU microseconds an event.
"""

import json
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.org import Org
from benchmarks.replica import replica
from salesforce_sync.models.values import parse_datetime

ROWS = 1000
TOGETHER = 4

org, events_url, folder = Org(*sys.argv[1:4]), sys.argv[4], Path(sys.argv[5])
mode, count, rate = sys.argv[6], int(sys.argv[7]), int(sys.argv[8])


def write(sync, rows, start=0):
    """Let the org change so many contacts, each otherwise."""
    ids = [each.id for each, _ in zip(sync.contacts, range(ROWS), strict=False)]
    for place in range(start, start + rows, ROWS):
        changes = [
            {"Id": ids[number % ROWS], "Phone": str(number)} for number in range(place, min(place + ROWS, start + rows))
        ]
        org.write("Contact", changes)


def live(sync, follower):
    """Updates at an even pace, by somebody else's thread."""
    ids = [each.id for each, _ in zip(sync.contacts, range(ROWS), strict=False)]

    def edit():
        began = time.monotonic()
        for turn in range(count * rate // TOGETHER):
            numbers = range(turn * TOGETHER, (turn + 1) * TOGETHER)
            org.write("Contact", [{"Id": ids[each % ROWS], "Title": str(each)} for each in numbers])
            time.sleep(max(0.0, began + (turn + 1) * TOGETHER / rate - time.monotonic()))

    editor = threading.Thread(target=edit)
    editor.start()
    editor.join()


def lag(sync, done):
    """Note when each event is in the database; called where the store has merged a page."""
    merge = sync.objects["Contact"].store.merge_events

    def noted(page):
        merged = merge(page)
        now = datetime.now(UTC)
        done.extend((now - parse_datetime(each.committed)).total_seconds() * 1000 for each in page.events)
        return merged

    sync.objects["Contact"].store.merge_events = noted


def until(met):
    while not met():
        time.sleep(0.005)


with replica(folder, *sys.argv[1:4], events_url=events_url) as sync:
    sync.init()
    sync.sync("Contact")
    done = []
    lag(sync, done)
    follower = sync.follow()
    follower.start("Contact")
    org.write("Contact", [{"Id": next(iter(sync.contacts)).id, "Phone": "first"}])
    time.sleep(2)
    org.write("Contact", [{"Id": next(iter(sync.contacts)).id, "Phone": "second"}])
    until(lambda: done)
    if mode == "live":
        done.clear()
        live(sync, follower)
        until(lambda: len(done) >= count * rate)
        done.sort()
        facts = {"median": done[len(done) // 2], "worst": done[int(len(done) * 0.99)]}
    else:
        follower.stop()
        write(sync, count)
        done.clear()
        follower = sync.follow()
        began, cpu = time.perf_counter(), time.process_time()
        follower.start("Contact")
        until(lambda: len(done) >= count)
        facts = {
            "wall": (time.perf_counter() - began) / count * 1e6,
            "cpu": (time.process_time() - cpu) / count * 1e6,
        }
    follower.stop()
print(json.dumps(facts))
