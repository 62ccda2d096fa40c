"""The guard against being sent into our own network: what is called, and that the checked address is the one used."""

import asyncio
import socket
import threading
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import httpx
import pytest

from activities.http.client import make_client
from activities.http.transport import LOOKUPS_AT_ONCE, Guard, RefusedAddress, Resolve, is_public

PUBLIC = "93.184.216.34"
IANA_SPECIAL_PURPOSE = (
    *("0.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
    *("192.0.0.0/24", "192.0.0.0/29", "192.0.0.8/32", "192.0.0.9/32", "192.0.0.10/32", "192.0.0.170/31"),
    *("192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24"),
    *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32"),
    "168.63.129.16/32",
    *("::1/128", "::/128", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64"),
    *("100:0:0:1::/64", "2001::/23", "2001::/32", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:2::/48"),
    *("2001:3::/32", "2001:4:112::/48", "2001:10::/28", "2001:20::/28", "2001:30::/28", "2001:db8::/32", "2002::/16"),
    *("2620:4f:8000::/48", "3ffe::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
)
"""Both registries with multicast, with what no longer is (site-local, IPv4-compatible, translated, 6bone), and with the
public address of a cloud's own service for its machines."""


def resolving(*addresses: str) -> Resolve:
    """A resolver that knows one answer to every name."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://127.0.1/",
        "https://0x7f.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://017700000001/",
        "https://0177.0.0.1/",
        "https://0/",
        "https://0.0.0.0/",
        "https://10.0.0.1/",
        "https://10.255.255.255:8443/",
        "https://172.16.0.1/",
        "https://172.31.255.254/",
        "https://192.168.1.1/",
        "https://0xc0a80101/",
        "https://169.254.169.254/latest/meta-data/",
        "https://0xa9fea9fe/",
        "https://2852039166/",
        "https://100.64.0.1/",
        "https://192.0.0.8/",
        "https://192.0.2.1/",
        "https://198.18.0.1/",
        "https://198.51.100.7/",
        "https://203.0.113.7/",
        "https://224.0.0.1/",
        "https://239.255.255.250/",
        "https://240.0.0.1/",
        "https://255.255.255.255/",
        "https://[::1]/",
        "https://[::]/",
        "https://[0:0:0:0:0:0:0:1]/",
        "https://[::127.0.0.1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://[fe80::1]/",
        "https://[fc00::1]/",
        "https://[fd00:ec2::254]/",
        "https://[ff02::1]/",
        "https://[2001:db8::1]/",
        "https://[2002:7f00:1::]/",
        "https://[2001:0:7f00:1::]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[64:ff9b:1::1]/",
        "https://localhost/",
        "https://LOCALHOST./",
        "http://127.0.0.1/",
        "http://93.184.216.34/",
        "ftp://93.184.216.34/",
        "file:///etc/passwd",
        "gopher://93.184.216.34/",
        "javascript:alert(1)",
        "data:text/plain,hello",
        "//93.184.216.34/",
        "/etc/passwd",
        "https://",
        "https:///path",
        "https://user@93.184.216.34/",
        "https://user:secret@93.184.216.34/",
        "https://93.184.216.34@127.0.0.1/",
        "https://[::1/",
        "https://93.184.216.34:99999/",
        "https://exa mple/",
        "",
    ],
)
async def test_no_such_url_is_called(url: str) -> None:
    with pytest.raises((RefusedAddress, socket.gaierror)):
        await Guard(()).check(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "fec0::1",
        "169.254.169.254",
        "::1",
        "fe80::1%eth0",
        "::ffff:192.168.0.1",
        "fd00::1",
        "2002:a00::",
    ],
)
async def test_a_public_name_with_a_private_address_is_refused(address: str) -> None:
    with pytest.raises(RefusedAddress, match="a private address"):
        await Guard((), resolving(address)).check("https://rebinding.example/hook")


async def test_one_private_address_among_public_ones_is_enough() -> None:
    with pytest.raises(RefusedAddress):
        await Guard((), resolving(PUBLIC, "10.0.0.1")).check("https://mixed.example/hook")


async def test_the_connection_goes_to_the_checked_address_under_the_name_of_the_url() -> None:
    checked_address = await Guard((), resolving(PUBLIC, "93.184.216.35")).check(
        "https://erp.example:8443/hooks/signed?a=b"
    )
    assert str(checked_address.url) == f"https://{PUBLIC}:8443/hooks/signed?a=b"
    assert (checked_address.host, checked_address.host_header) == ("erp.example", "erp.example:8443")


async def test_an_ipv6_address_is_put_in_brackets() -> None:
    checked_address = await Guard((), resolving("2606:2800:220:1::1")).check("https://erp.example/hook")
    assert str(checked_address.url) == "https://[2606:2800:220:1::1]/hook"


@pytest.mark.parametrize("listed", ["erp.example", "ERP.example", "erp.example:443", "erp.example."])
async def test_a_listed_host_may_be_private(listed: str) -> None:
    checked_address = await Guard((listed,), resolving("10.0.0.1")).check("https://erp.example/hook")
    assert checked_address.url.host == "10.0.0.1"


@pytest.mark.parametrize("url", ["https://other.example/", "https://erp.example:8443/", "https://sub.erp.example/"])
async def test_with_a_list_nothing_else_is_called(url: str) -> None:
    with pytest.raises(RefusedAddress, match="not listed"):
        await Guard(("erp.example:443",), resolving(PUBLIC)).check(url)


async def test_plain_http_goes_to_a_listed_loopback_address_only() -> None:
    checked_address = await Guard(("127.0.0.1:8080",)).check("http://127.0.0.1:8080/hook")
    assert str(checked_address.url) == "http://127.0.0.1:8080/hook"
    for url, address in (("http://127.0.0.1:8081/", "127.0.0.1"), ("http://127.0.0.1:8080/", "10.0.0.1")):
        with pytest.raises(RefusedAddress):
            await Guard(("127.0.0.1:8080",), resolving(address)).check(url)


async def test_an_ipv6_host_can_be_listed() -> None:
    checked_address = await Guard(("[::1]:8080",), resolving("::1")).check("http://[::1]:8080/hook")
    assert checked_address.url.host == "::1"


async def test_a_name_without_an_address_is_no_refusal_but_no_answer() -> None:
    with pytest.raises(OSError, match="no address"):
        await Guard((), resolving()).check("https://erp.example/hook")


@pytest.mark.parametrize("host", ["hooks..example.com", ".example.com", "a" * 64 + ".example.com"])
async def test_a_host_that_cannot_be_is_refused_in_words(host: str) -> None:
    with pytest.raises(RefusedAddress, match="there is no such host name"):
        await Guard(()).check(f"https://{host}/hook")


class Silence:
    """A system that looks names up until its gate opens, and then knows none; `most` were asked at the same time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.gate = threading.Event(), threading.Event()
        self.looked_up_hosts: list[str] = []
        self.most_at_once = self.answered = 0
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: str, *_: object, **__: object) -> object:
        self.looked_up_hosts.append(host)
        self.most_at_once = max(self.most_at_once, len(self.looked_up_hosts) - self.answered)
        self.reached.set()
        self.gate.wait(10)
        self.answered += 1
        raise socket.gaierror


async def test_names_that_are_looked_up_for_ever_hold_nothing_else_up(monkeypatch: pytest.MonkeyPatch) -> None:
    system, guard, hosts = Silence(monkeypatch), Guard(()), [f"h{n}.example" for n in range(10 * LOOKUPS_AT_ONCE)]
    checks = [asyncio.create_task(guard.check(f"https://{host}/")) for host in [*hosts, *hosts]]
    await asyncio.wait(checks, timeout=0)
    try:
        async with asyncio.timeout(5):
            assert await asyncio.to_thread(lambda: "read") == "read"
    finally:
        system.gate.set()
    answers = await asyncio.gather(*checks, return_exceptions=True)
    assert {type(answer) for answer in answers} == {socket.gaierror}
    assert sorted(system.looked_up_hosts) == sorted(hosts)
    assert system.most_at_once <= LOOKUPS_AT_ONCE


async def test_neither_do_the_names_of_the_services_that_we_call(monkeypatch: pytest.MonkeyPatch) -> None:
    system, hosts = Silence(monkeypatch), [f"h{n}.example" for n in range(10 * LOOKUPS_AT_ONCE)]
    async with make_client(max_connections=2 * len(hosts)) as client:
        calls = [asyncio.create_task(client.get(f"https://{host}/", timeout=None)) for host in [*hosts, *hosts]]
        await asyncio.to_thread(system.reached.wait)
        try:
            async with asyncio.timeout(5):
                assert await asyncio.to_thread(lambda: "read") == "read"
        finally:
            system.gate.set()
        answers = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(answer) for answer in answers} == {httpx.ConnectError}
    assert system.most_at_once <= LOOKUPS_AT_ONCE


async def test_of_several_addresses_of_a_service_the_first_that_answers_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    def knows(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(None, None, None, "", (address, port)) for address in ("127.0.0.2", "127.0.0.1")]

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server, make_client() as client:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setattr(socket, "getaddrinfo", knows)
        assert (await client.get(f"http://service.example:{port}/")).status_code == 204


def test_a_process_ends_although_a_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    system = Silence(monkeypatch)

    async def given_up() -> None:
        check = asyncio.create_task(Guard(()).check("https://erp.example/"))
        await asyncio.to_thread(system.reached.wait)
        check.cancel()

    asyncio.run(given_up())
    assert (system.looked_up_hosts, system.answered) == (["erp.example"], 0)
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "name-lookup")
    system.gate.set()


async def test_a_refusal_quotes_nothing_of_the_url() -> None:
    with pytest.raises(RefusedAddress) as refused:
        await Guard(()).check("https://user:secret@erp.example/path?token=secret")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_the_open_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("network", IANA_SPECIAL_PURPOSE)
def test_no_range_of_iana_s_special_purpose_registries_is_public(network: str) -> None:
    assert not is_public(ip_network(network)[0])
    assert not is_public(ip_network(network)[-1])
