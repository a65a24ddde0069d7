"""Signals: what they interrupt may be waiting for the very event that they set, with its lock in its hands."""

import signal
import subprocess
import sys

import pytest

from salesforce_sync.process.interrupts import MESSAGE, STOPPING

DAEMON = """
import signal, threading
from salesforce_sync.process.interrupts import stop_on_signals

stop = threading.Event()
stop_on_signals(stop.set)
with stop._cond:  # as `wait` has it for a moment
    signal.raise_signal(signal.SIGTERM)
print("ended" if stop.wait(10) else "went on")
"""

SYNC = """
import signal, threading
from salesforce_sync.process.interrupts import stop_on_interrupt

stop = threading.Event()
with stop_on_interrupt(stop.set):
    with stop._cond:
        signal.raise_signal(signal.SIGINT)
    print("ended" if stop.wait(10) else "went on")
"""

SECOND_SIGNAL = """
import signal, threading
from salesforce_sync.process.interrupts import stop_on_signals

stop_on_signals(threading.Event().set)
signal.raise_signal(signal.SIGTERM)
signal.raise_signal(signal.SIGTERM)
threading.Event().wait(1)  # half of the time that one signal leaves it
print("still here")
"""

IN_A_STATEMENT = """
import apsw, threading
from salesforce_sync.process.interrupts import {block}

with {block}(threading.Event().set):
    print("within", flush=True)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n"
    apsw.Connection(":memory:").execute(endless).get
"""

TWICE = """
import os, signal, threading
from salesforce_sync.process.interrupts import stop_on_interrupt

with stop_on_interrupt(lambda: os.kill(os.getpid(), signal.SIGINT)):
    hold = threading.Lock()
    hold.acquire()
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    hold.acquire()
"""

STOP_THAT_FAILS = """
import signal, threading
from salesforce_sync.process.interrupts import stop_on_signals

stop_on_signals(lambda: 1 / 0, grace=0.1)
signal.raise_signal(signal.SIGTERM)
threading.Event().wait(10)
print("still here")
"""

AT_ITS_END = """
import os, signal
from salesforce_sync.process.interrupts import leave_alone, stop_on_signals

class Last:
    def __del__(self, kill=os.kill, me=os.getpid(), number=signal.SIGTERM):
        kill(me, number)

kept = Last()
stop_on_signals(lambda: None)
leave_alone()
raise SystemExit(4)
"""


def run(script):
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("script", [DAEMON, SYNC], ids=["daemon", "sync"])
def test_a_signal_ends_a_wait_at_whatever_moment_it_comes(script):
    ran = run(script)

    assert (ran.returncode, ran.stdout) == (0, "ended\n"), ran.stderr


def test_a_second_signal_ends_the_process_at_once():
    ran = run(SECOND_SIGNAL)

    assert (ran.returncode, ran.stdout) == (130, "")


@pytest.mark.parametrize(("block", "times"), [("stop_on_interrupt", 2), ("cut_on_interrupt", 1)])
def test_ctrl_c_ends_the_process_also_within_a_statement_of_the_database(block, times):
    with subprocess.Popen(
        [sys.executable, "-c", IN_A_STATEMENT.format(block=block)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            running.stdout.readline()
            for each in range(times):
                running.send_signal(signal.SIGINT)
                if each < times - 1:
                    assert running.stderr.readline() == f"{STOPPING}\n"
            _, err = running.communicate(timeout=10)
        finally:
            running.kill()

    assert running.returncode == 130
    assert err.splitlines()[-1] == MESSAGE


def test_a_second_ctrl_c_is_heard_in_the_instant_after_the_first():
    with subprocess.Popen([sys.executable, "-c", TWICE], stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.communicate(timeout=10) == ("", None)
        finally:
            running.kill()

    assert running.returncode == 130


def test_the_process_ends_also_if_stopping_fails():
    ran = run(STOP_THAT_FAILS)

    assert (ran.returncode, ran.stdout) == (0, "")


def test_a_signal_while_the_process_ends_by_itself_does_not_change_how_it_ended():
    assert run(AT_ITS_END).returncode == 4
