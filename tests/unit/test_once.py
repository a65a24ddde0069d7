"""A form that comes twice makes one thing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from salesforce_sync.errors import Misuse
from salesforce_sync.web.once import MOST, MadeAlready, Once


def test_whoever_presses_while_the_first_is_made_gets_that_one():
    once, gate, made = Once(), threading.Event(), []

    def make():
        gate.wait(5)
        made.append("local-1")
        return made[-1]

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(once.made, "key", "Hopper", make) for _ in range(4)]
        gate.set()

    assert [each.result() for each in answers] == ["local-1"] * 4
    assert made == ["local-1"]


def test_what_was_refused_has_made_nothing():
    once = Once()

    def refuse():
        raise Misuse("A last name is needed.")

    with pytest.raises(Misuse):
        once.made("key", "", refuse)

    assert once.made("key", "Hopper", lambda: "local-1") == "local-1"


def test_a_form_makes_nothing_of_other_values_once_it_has_made_something():
    once = Once()
    once.made("key", "Hopper", lambda: "local-1")

    with pytest.raises(MadeAlready):
        once.made("key", "Lovelace", lambda: "local-2")


def test_the_oldest_form_is_forgotten_first():
    once = Once()
    for number in range(MOST + 1):
        once.made(f"key {number}", "Hopper", lambda: "local-1")

    assert once.made("key 1", "Hopper", lambda: "another") == "local-1"
    assert once.made("key 0", "Hopper", lambda: "another") == "another"
