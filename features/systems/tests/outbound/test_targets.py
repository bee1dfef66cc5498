"""Which addresses are public, and what may be listed beside them."""

from ipaddress import ip_address

import pytest

from features.systems.outbound.targets import Permission, Target, is_public

PUBLIC = [
    "8.8.8.8",
    "93.184.216.34",
    "172.15.0.1",
    "172.32.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "2606:2800:220:1:248:1893:25c8:1946",
    "2a00:1450:4001:80b::200e",
    "::ffff:8.8.8.8",
    "2002:808:808::1",
    "64:ff9b::8.8.8.8",
    "2606:2800::5efe:808:808",
]
NOT_PUBLIC = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "168.63.129.16",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::2",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:0:808:808::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::",
    "2002:a00:1::8.8.8.8",
    "2606:2800::5efe:10.0.0.1",
    "2606:2800::200:5efe:127.0.0.1",
    "fc00::5efe:8.8.8.8",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_fetched(address: str) -> None:
    assert is_public(ip_address(address))
    assert Permission().covers("site.example", 80, ip_address(address))


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_any_other_address_may_not(address: str) -> None:
    assert not is_public(ip_address(address))
    assert not Permission().covers("site.example", 80, ip_address(address))


@pytest.mark.parametrize(
    ("entry", "host", "port", "address", "covered"),
    [
        ("10.0.0.0/8", "any.example", 80, "10.1.2.3", True),
        ("10.0.0.0/8", "any.example", 80, "172.16.2.3", False),
        ("10.0.0.0/8", "any.example", 80, "::ffff:10.1.2.3", False),
        ("10.0.0.7", "any.example", 8080, "10.0.0.7", True),
        ("10.0.0.7", "10.0.0.7", 80, "10.0.0.8", False),
        ("10.0.0.7:8080", "any.example", 8080, "10.0.0.7", True),
        ("10.0.0.7:8080", "any.example", 80, "10.0.0.7", False),
        ("::1", "any.example", 80, "::1", True),
        ("[::1]:8080", "any.example", 8080, "::1", True),
        ("[::1]:8080", "any.example", 8081, "::1", False),
        ("fd00::/8", "any.example", 80, "fd12::1", True),
        ("intranet.example", "intranet.example", 80, "10.0.0.1", True),
        ("Intranet.Example.", "INTRANET.example", 80, "10.0.0.1", True),
        ("intranet.example", "intranet.example.", 80, "10.0.0.1", True),
        ("intranet.example", "other.intranet.example", 80, "10.0.0.1", False),
        ("intranet.example", "intranet", 80, "10.0.0.1", False),
        ("intranet.example:8080", "intranet.example", 8080, "10.0.0.1", True),
        ("intranet.example:8080", "intranet.example", 80, "10.0.0.1", False),
        ("localhost", "localhost", 80, "127.0.0.1", True),
        ("some_service", "some_service", 80, "172.18.0.2", True),
    ],
)
def test_what_an_entry_allows(entry: str, host: str, port: int, address: str, covered: bool) -> None:
    assert Permission.parse([entry]).covers(host, port, ip_address(address)) is covered


@pytest.mark.parametrize(
    "entry",
    [
        "",
        " ",
        "http://intranet.example",
        "intranet.example/path",
        "intranet.example:",
        "intranet.example:0",
        "intranet.example:70000",
        "intranet.example:http",
        "intra net",
        "-intranet",
        "a..b",
        "*.example",
        "10.0.0.0/33",
        "10.0.0.0/8:80",
        "10.0.0.256",
        "10.1",
        "[::1",
        "[intranet]:80",
        "::1:80:x",
        "user@intranet.example",
        "x" * 254,
    ],
)
def test_what_is_no_entry(entry: str) -> None:
    with pytest.raises(ValueError, match="no"):
        Target.parse(entry)
