"""Answers go out in few pieces, in their order, and whole. On real sockets of a real loop."""

import asyncio

import pytest

from salesforce_sync.web.outgoing import Gathering
from tests.loops import in_loop


class Server(asyncio.Protocol):
    """Does with a connection what it was told, and counts what its transport was given."""

    def __init__(self, act):
        self.act, self.pieces = act, []

    def connection_made(self, transport):
        write = transport.write
        transport.write = lambda data: (self.pieces.append(bytes(data)), write(data))
        self.act(Gathering(transport, asyncio.get_running_loop(), lambda: False))


def answer_of(act):
    """What a client reads until the connection is closed, and the pieces in which it was written."""

    async def run():
        server = Server(act)
        listening = await asyncio.get_running_loop().create_server(lambda: server, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
        read = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        listening.close()
        return read, server.pieces

    return in_loop(run())


@pytest.mark.parametrize(
    ("written", "pieces"),
    [
        ((b"head", b"body"), [b"headbody"]),
        ((b"head",), [b"head"]),
        ((b"head", b"", b"body", b"more"), [b"headbody", b"more"]),
        ((b"head", b"x" * 300_000), [b"head" + b"x" * 300_000]),
    ],
)
def test_what_is_written_at_once_goes_out_together_and_in_order(written, pieces):
    def act(transport):
        for each in written:
            transport.write(each)
        transport.close()

    read, gone = answer_of(act)

    assert read == b"".join(written)
    assert gone == pieces


def test_what_nothing_follows_goes_out_at_the_next_turn_of_the_loop():
    def act(transport):
        loop = asyncio.get_running_loop()
        transport.write(b"event")
        loop.call_soon(loop.call_soon, lambda: (transport.write(b"later"), transport.close()))

    read, gone = answer_of(act)

    assert read == b"eventlater"
    assert gone == [b"event", b"later"]
