"""Signals: what they interrupt may be waiting for the very event that they set, with its lock in its hands."""

import subprocess
import sys

import pytest

DAEMON = """
import signal, threading
from salesforce_sync.interrupts import stop_on_signals

stop = threading.Event()
stop_on_signals(stop.set)
with stop._cond:  # as `wait` has it for a moment
    signal.raise_signal(signal.SIGTERM)
print("ended" if stop.wait(10) else "went on")
"""

SYNC = """
import signal, threading
from salesforce_sync.interrupts import stop_on_interrupt

stop = threading.Event()
with stop_on_interrupt(stop.set):
    with stop._cond:
        signal.raise_signal(signal.SIGINT)
    print("ended" if stop.wait(10) else "went on")
"""

SECOND_SIGNAL = """
import signal, threading
from salesforce_sync.interrupts import stop_on_signals

stop_on_signals(threading.Event().set)
signal.raise_signal(signal.SIGTERM)
signal.raise_signal(signal.SIGTERM)
print("still here")
"""

STOP_THAT_FAILS = """
import signal, threading
from salesforce_sync.interrupts import stop_on_signals

stop_on_signals(lambda: 1 / 0, grace=0.1)
signal.raise_signal(signal.SIGTERM)
threading.Event().wait(10)
print("still here")
"""

AT_ITS_END = """
import os, signal
from salesforce_sync.interrupts import leave_alone, stop_on_signals

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


def test_the_process_ends_also_if_stopping_fails():
    ran = run(STOP_THAT_FAILS)

    assert (ran.returncode, ran.stdout) == (0, "")


def test_a_signal_while_the_process_ends_by_itself_does_not_change_how_it_ended():
    assert run(AT_ITS_END).returncode == 4
