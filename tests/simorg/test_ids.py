"""Record ids: the checksum, and what counts as an id."""

import pytest

from simorg import ids


@pytest.mark.parametrize(
    ("short", "check"),
    [
        ("a01M00000062mPg", "IAI"),
        ("001M000000qfPyS", "IAU"),
        ("a0RE000000IJmcN", "MAT"),
        ("a0D30000001n7Pi", "EAI"),
    ],
)
def test_the_checksum_is_salesforces(short: str, check: str) -> None:
    assert ids.to_18(short) == short + check


def test_both_lengths_are_the_same_id() -> None:
    assert ids.normalize("001M000000qfPyS") == ids.normalize("001M000000qfPySIAU") == "001M000000qfPySIAU"


@pytest.mark.parametrize("text", ["", "001", "001M000000qfPySiau", "001m000000qfpysIAU", "001M000000qfPy!", None, 17])
def test_what_is_not_an_id_is_none(text: object) -> None:
    assert ids.normalize(text) is None


def test_the_quick_series_makes_the_same_ids() -> None:
    series = ids.Series()
    serials = [1, 61, 62, 3843, 3844, 3845, 238_327, 1_000_000, 14_776_336, 99_999_999]

    assert [series("003", serial) for serial in serials] == [ids.make("003", serial) for serial in serials]


def test_ids_sort_in_the_order_they_were_made() -> None:
    made = [ids.make("a00", serial) for serial in range(1, 5000, 7)]

    assert made == sorted(made)
