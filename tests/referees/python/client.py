"""The published Python SDK, as its users run it, driven by lines of JSON.

In, on standard input: `{"app", "secret", "domain", "handlers"}` starts a long connection; `handlers` false registers
none. Out, on standard output: `{"webhook": PORT}` once, then `{"app", "handled": …}` for every call of a handler and
`{"app", "ended": …}` when the SDK gives up. The keys of the webhook are in the one argument, as JSON. The log of the
SDK goes to standard error.

The SDK has one event loop for a process, so every client is a process: forked, because importing the SDK takes seconds.
"""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OUT = os.dup(1)
# The SDK logs to standard output.
os.dup2(2, 1)

import lark_oapi as lark  # noqa: E402
import lark_oapi.ws.client as ws_client  # noqa: E402
from lark_oapi.core.model import RawRequest, RawResponse  # noqa: E402
from lark_oapi.event.callback.model.p2_card_action_trigger import P2CardActionTriggerResponse  # noqa: E402
from lark_oapi.event.callback.model.p2_url_preview_get import P2URLPreviewGetResponse  # noqa: E402

EVENT = "im.message.receive_v1"
TOAST = {"type": "success", "content": "ok"}
# Long enough to tell two calls at once from two in a row, and two in a row are still in time.
SLOW_SECONDS = 1.2


def say(**what):
    # One write, so that the lines of several processes do not mix.
    os.write(OUT, (json.dumps(what) + "\n").encode())


def act(app, kind, asked):
    say(app=app, handled=kind)
    if asked == "throw":
        raise RuntimeError("as asked")
    if asked == "slow":
        time.sleep(SLOW_SECONDS)


def on_card(app):
    def handle(data):
        asked = (data.event.action.value or {}).get("do")
        act(app, "card", asked)
        if asked == "none":
            return None
        return P2CardActionTriggerResponse({} if asked == "empty" else {"toast": TOAST})

    return handle


def on_preview(app):
    def handle(data):
        act(app, "preview", None)
        return P2URLPreviewGetResponse({"inline": {"title": "T"}})

    return handle


def on_event(app):
    def handle(data):
        act(app, "event", data.event.get("do"))

    return handle


def dispatcher(app, encrypt_key="", verification_token="", handlers=True):
    builder = lark.EventDispatcherHandler.builder(encrypt_key, verification_token)
    if handlers:
        builder.register_p2_card_action_trigger(on_card(app))
        builder.register_p2_url_preview_get(on_preview(app))
        builder.register_p2_customized_event(EVENT, on_event(app))
    return builder.build()


def on_legacy_card(card):
    asked = (card.action.value or {}).get("do")
    act("legacy", "legacy", asked)
    if asked == "custom":
        response = RawResponse()
        response.status_code = 418
        response.set_content_type("application/json")
        response.content = b'{"custom":true}'
        return response
    return None if asked == "none" else {"toast": TOAST}


def connect(order):
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # The loop that the SDK made when it was imported belongs to the parent.
    ws_client.loop = loop
    handler = dispatcher(order["app"], handlers=order["handlers"])
    client = lark.ws.Client(
        order["app"],
        order["secret"],
        event_handler=handler,
        domain=order["domain"],
        log_level=lark.LogLevel.WARNING,
    )
    try:
        client.start()
        say(app=order["app"], ended="start() returned")
    except Exception as error:
        say(app=order["app"], ended=f"{type(error).__name__}: {error}")


def serve(keys):
    token = keys["verification_token"]
    card = lark.CardActionHandler.builder(keys["encrypt_key"], token).register(on_legacy_card).build()
    doors = {
        "/encrypted": dispatcher("encrypted", keys["encrypt_key"], token),
        "/plain": dispatcher("plain", "", token),
        "/none": dispatcher("none", "", token, handlers=False),
        "/legacy": card,
    }

    class Door(BaseHTTPRequestHandler):
        def do_POST(self):
            request = RawRequest()
            request.uri = self.path
            # As a framework hands them over; the SDK wants this spelling.
            request.headers = dict(self.headers.items())
            request.body = self.rfile.read(int(self.headers["Content-Length"]))
            response = doors[self.path].do(request)
            self.send_response(response.status_code)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.content)))
            self.end_headers()
            self.wfile.write(response.content)

        def log_message(self, *args):
            pass

    # All scenarios come at once; five is what the library expects.
    ThreadingHTTPServer.request_queue_size = 64
    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    say(webhook=server.server_port)
    server.serve_forever()


def end_with(parent):
    """Nothing is left behind when the test is killed and takes the parent with it."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def fork(work, argument):
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        threading.Thread(target=end_with, args=(parent,), daemon=True).start()
        try:
            work(argument)
        finally:
            os._exit(0)
    return child


def main():
    # Children that end need nobody to wait for them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    fork(serve, json.loads(sys.argv[1]))
    for line in sys.stdin:
        fork(connect, json.loads(line))


main()
