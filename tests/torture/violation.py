"""What is raised when something does not hold that always must."""

from __future__ import annotations


class Violation(AssertionError):
    """A rule of the design that this history broke; `rule` is its short name."""

    def __init__(self, rule: str, what: str) -> None:
        super().__init__(f"{rule}: {what}")
        self.rule = rule
