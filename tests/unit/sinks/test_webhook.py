"""A webhook: what an answer of the receiver's means for what is sent next."""

import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from salesforce_sync.errors import SinkDown, SinkRefused
from salesforce_sync.signals import PushComplete, Told
from salesforce_sync.sink_settings import SinkSettings
from salesforce_sync.sinks.envelope import Envelope
from salesforce_sync.sinks.webhook import LONGEST_WAIT, Webhook

TOLD = Told(1, datetime(2026, 1, 27, tzinfo=UTC), PushComplete(1, 0))


@pytest.fixture
def answering():
    """Makes a webhook to a receiver that gives this answer."""
    running = []

    def begin(status, headers=()):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        running.append(server)
        url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        return Webhook(SinkSettings("webhook", "ops", url=url, allow_private=True), (b"key",), Envelope("r1"))

    yield begin
    for each in running:
        each.shutdown()
        each.server_close()


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (500, (), None),
        (429, (("Retry-After", "7"),), 7.0),
        (503, (("Retry-After", "soon"),), None),
        (503, (("Retry-After", "1e9"),), LONGEST_WAIT),
        (410, (), LONGEST_WAIT),  # Standard Webhooks: it is gone, and wants no more
    ],
)
def test_a_receiver_that_takes_nothing_now_is_left_alone_as_long_as_it_says(answering, status, headers, wait):
    with pytest.raises(SinkDown) as down:
        answering(status, headers).take([TOLD])

    assert down.value.retry_after == wait


def test_a_receiver_that_is_gone_is_told_so(answering):
    with pytest.raises(SinkDown, match=r"410.*signals retry ops"):
        answering(410).take([TOLD])


@pytest.mark.parametrize("status", [301, 400, 401, 404])
def test_any_other_answer_is_a_refusal_of_this_signal(answering, status):
    with pytest.raises(SinkRefused):
        answering(status).take([TOLD])


def test_an_answer_of_two_hundred_and_something_is_taken(answering):
    assert [answering(status).take([TOLD]) for status in (200, 202, 204)] == [None, None, None]
