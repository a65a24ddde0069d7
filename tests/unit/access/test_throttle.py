"""How often somebody may ask."""

import pytest

from salesforce_sync.access import Limit, Throttle, address_key


def test_so_many_at_once_and_then_so_many_a_second():
    throttle = Throttle(Limit(3, per_second=2))

    first = [throttle.take("ada", 0.0) for _ in range(4)]
    later = [throttle.take("ada", 0.5), throttle.take("ada", 0.5)]

    assert first == [0.0, 0.0, 0.0, pytest.approx(0.5)]
    assert later == [0.0, pytest.approx(0.5)]


def test_whoever_waits_as_long_as_he_was_told_may_go_on():
    throttle, now = Throttle(Limit(1, per_second=0.3)), 0.0

    for _ in range(100):
        now += throttle.take("ada", now)
        assert throttle.take("ada", now) == 0.0 or now == 0.0
        throttle.take("ada", now)


def test_each_key_has_its_own_bucket():
    throttle = Throttle(Limit(1, per_second=1))

    assert [throttle.take(key, 0.0) for key in ("ada", "bob")] == [0.0, 0.0]


def test_looking_takes_nothing_and_a_success_begins_anew():
    throttle = Throttle(Limit(2, per_second=0.1))

    looked = [throttle.look("1.2.3.4", 0.0) for _ in range(10)]
    throttle.take("1.2.3.4", 0.0)
    throttle.take("1.2.3.4", 0.0)
    blocked = throttle.look("1.2.3.4", 0.0)
    throttle.forget("1.2.3.4")

    assert looked == [0.0] * 10
    assert blocked == pytest.approx(10.0)
    assert throttle.look("1.2.3.4", 0.0) == 0.0


def test_a_clock_that_goes_back_gives_and_takes_nothing():
    throttle = Throttle(Limit(1, per_second=1))
    throttle.take("ada", 100.0)

    assert throttle.take("ada", 50.0) == pytest.approx(1.0)


def test_many_addresses_do_not_fill_the_memory():
    throttle = Throttle(Limit(1, per_second=0.001), most_keys=100)

    for number in range(10_000):
        throttle.take(str(number), 0.0)

    assert len(throttle._buckets) == 100
    assert throttle.take("9999", 0.0) > 0


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("no address" * 50, ("no address" * 50)[:64]),
    ],
)
def test_one_machine_is_one_address(address, key):
    assert address_key(address) == key
