"""Where a webhook may go."""

import pytest

from salesforce_sync.errors import SinkDown
from salesforce_sync.sinks.addresses import is_public, resolve


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),  # where clouds keep their secrets
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("239.1.1.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::a01:203", False),  # 10.1.2.3 behind NAT64
        ("2002:a01:203::1", False),  # 10.1.2.3 by 6to4
    ],
)
def test_an_address_is_public_or_not(address, public):
    assert is_public(address) is public


def test_a_name_that_leads_into_this_machine_is_refused_unless_that_is_allowed():
    with pytest.raises(SinkDown, match="which is not public"):
        resolve("localhost", 443, allow_private=False)

    assert {each.where[1] for each in resolve("localhost", 443, allow_private=True)} == {443}


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1"])
def test_an_address_in_disguise_is_seen_through(host):
    with pytest.raises(SinkDown):
        resolve(host, 80, allow_private=False)


def test_a_name_that_leads_nowhere_is_told():
    with pytest.raises(SinkDown, match="leads nowhere"):
        resolve("nobody.invalid", 443, allow_private=False)
