from __future__ import annotations

import socket
import threading
import time
import traceback
from contextlib import closing

import pytest

from salesforce_sync.api.wire import NotSent, Outgoing, Wire, is_loopback, origin
from salesforce_sync.errors import ConfigError, Unreachable
from tests.unit.api.scripted import Reply, ScriptedServer, zipped


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://acme.my.salesforce.com", "https://acme.my.salesforce.com"),
        ("https://ACME.my.salesforce.com/", "https://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com:443/lightning", "https://acme.my.salesforce.com"),
        ("https://sf.example.org:8443", "https://sf.example.org:8443"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("http://127.1.2.3", "http://127.1.2.3"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_an_address_is_its_origin(url: str, expected: str) -> None:
    assert origin(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "http://acme.my.salesforce.com",
        "http://10.0.0.1:8000",
        "http://localhost.example.org",
        "http://127.0.0.1.example.org",
        "https://user@acme.my.salesforce.com",
        "https://acme.my.salesforce.com:port",
        "ftp://acme.my.salesforce.com",
        "acme.my.salesforce.com",
        "https://",
        "",
    ],
)
def test_a_token_is_not_sent_to_what_is_no_org(url: str) -> None:
    with pytest.raises(ConfigError):
        origin(url)


@pytest.mark.parametrize(
    ("host", "ours"), [("localhost", True), ("::1", True), ("127.9.9.9", True), ("10.0.0.1", False)]
)
def test_this_machine_is_known(host: str, ours: bool) -> None:
    assert is_loopback(host) is ours


def ask(server: ScriptedServer) -> bytes:
    with closing(Wire()) as wire, closing(wire.open(Outgoing("GET", f"{server.url}/x", {}))) as incoming:
        return incoming.read()


@pytest.mark.parametrize("reply", [Reply(b"text"), zipped(Reply(b"text")), Reply(b"text", unframed=True), Reply(b"")])
def test_a_body_is_read_in_every_form(reply: Reply) -> None:
    with ScriptedServer(lambda asked: reply) as server:
        assert ask(server) == (b"text" if reply.body else b"")


@pytest.mark.parametrize(
    "reply", [Reply(b"x" * 5000, cut=4999), zipped(Reply(b"x" * 5000, cut=20)), Reply(b"x", cut=0)]
)
def test_a_cut_body_is_noticed(reply: Reply) -> None:
    with ScriptedServer(lambda asked: reply) as server, pytest.raises(Unreachable):
        ask(server)


def test_a_gzip_stream_without_a_length_that_stops_early_is_noticed() -> None:
    whole = zipped(Reply(b"x" * 5000))
    cut = Reply(whole.body[:-4], headers=whole.headers, unframed=True)

    with ScriptedServer(lambda asked: cut) as server, pytest.raises(Unreachable, match="cut off"):
        ask(server)


@pytest.mark.parametrize("body", [b'{"a": [1, {"b": 2}', b'{"a": [1, {"b": 2}]', b'[{"b": "2'])
def test_a_json_body_that_only_the_end_of_the_connection_ends_is_whole_or_refused(body: bytes) -> None:
    cut = Reply(body, headers={"Content-Type": "application/json;charset=UTF-8"}, unframed=True)

    with ScriptedServer(lambda asked: cut) as server, pytest.raises(Unreachable, match="cut off"):
        ask(server)


@pytest.mark.parametrize("body", [b' {"a": [1, 2.0e7]}\n', b""])
def test_a_json_body_without_a_length_is_read(body: bytes) -> None:
    whole = Reply(body, headers={"Content-Type": "application/json"}, unframed=True)

    with ScriptedServer(lambda asked: whole) as server:
        assert ask(server) == whole.body


def test_gzip_is_asked_for() -> None:
    with ScriptedServer(lambda asked: Reply(b"ok")) as server:
        ask(server)

        assert server.asked[0].headers["accept-encoding"] == "gzip"


def test_no_redirect_is_followed() -> None:
    with ScriptedServer(lambda asked: Reply(b"", 302, {"Location": "http://127.0.0.1:1/"})) as server:
        assert ask(server) == b""

        assert server.paths() == ["/x"]


def test_a_host_that_does_not_answer_was_not_sent_anything(wire: Wire) -> None:
    with ScriptedServer(lambda asked: Reply()) as server:
        gone = server.url

    with pytest.raises(NotSent, match=r"127\.0\.0\.1"):
        wire.open(Outgoing("GET", gone, {}))


def test_a_server_that_hangs_up_without_an_answer_is_told_in_one_sentence(wire: Wire) -> None:
    def hang_up() -> None:
        line, _ = listener.accept()
        with line:
            line.recv(65_536)

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        server = threading.Thread(target=hang_up)
        server.start()
        with pytest.raises(Unreachable, match=r"broke: .*[^.]\.$"):
            wire.open(Outgoing("GET", f"http://127.0.0.1:{listener.getsockname()[1]}/x", {}))
        server.join()


def test_secrets_do_not_show() -> None:
    shown = repr(Outgoing("POST", "http://localhost/x", {"Authorization": "Bearer hush"}, b"hush"))

    assert "hush" not in shown


def test_a_waiting_read_ends_when_another_thread_aborts_it(wire: Wire) -> None:
    hold = threading.Event()
    with ScriptedServer(lambda asked: Reply(b"x" * 100, cut=10, hold=hold)) as server:
        incoming = wire.open(Outgoing("GET", server.url, {}))
        began = time.monotonic()
        threading.Timer(0.1, incoming.abort).start()

        with pytest.raises(Unreachable):
            incoming.read()
        took = time.monotonic() - began
        hold.set()

    assert took < 15  # the server would have held the line for 20 s


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "127.1.1.1", "localhost"])
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_no_proxy_sees_what_is_for_this_machine(host: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(lambda asked: Reply(b"org")) as org, ScriptedServer(lambda asked: Reply(b"proxy")) as proxy:
        monkeypatch.setenv(variable, proxy.url)
        with closing(Wire()) as wire:
            try:
                asked = Outgoing("GET", f"{org.url.replace('127.0.0.1', host)}/x", {"Authorization": "Bearer t"})
                with closing(wire.open(asked)) as incoming:
                    assert incoming.read() == b"org"
            except Unreachable:
                assert host not in ("127.0.0.1", "localhost")  # the server listens at 127.0.0.1 only

        assert proxy.asked == []


@pytest.mark.parametrize("token", ["00D!LEAK\nLEAKtail", "\u201cLEAK\u201d", "LEAK\x00", "LEAK\udcff"])
def test_a_header_that_cannot_be_sent_is_not_repeated(token: str, wire: Wire) -> None:
    with ScriptedServer(lambda asked: Reply(b"")) as server:
        with pytest.raises(ConfigError, match="cannot be sent") as refused:
            wire.open(Outgoing("GET", f"{server.url}/x", {"Authorization": f"Bearer {token}"}))

        assert server.asked == []
    assert "LEAK" not in "".join(traceback.format_exception(refused.value))
