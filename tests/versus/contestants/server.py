"""The published Python SDK, as its users run it: `python server.py ORDERS` with orders as JSON.

{"webhook": {"encrypt_key", "verification_token"}} serves callbacks over HTTP, with the SDK's own adapter for Flask under
gunicorn, and prints {"webhook": PORT}.
{"long_connection": {"app", "secret", "domain", "connections"}} opens that many connections, each in a process of its own
because the SDK has one event loop for a process.
"""

import asyncio
import json
import os
import sys
import threading
import time

OUT = os.dup(1)
# The SDK logs to standard output.
os.dup2(2, 1)

import lark_oapi as lark  # noqa: E402
import lark_oapi.ws.client as ws_client  # noqa: E402
from lark_oapi.event.callback.model.p2_card_action_trigger import P2CardActionTriggerResponse  # noqa: E402

# Keeps connections open, which the plain worker does not. One process for the one core that every contestant has.
GUNICORN = {"workers": 1, "worker_class": "gthread", "threads": 8, "keepalive": 75}


def on_card(data):
    toast = {"type": "info", "content": f"Clicked by {data.event.operator.open_id}"}
    return P2CardActionTriggerResponse({"toast": toast})


def dispatcher(encrypt_key="", verification_token=""):
    builder = lark.EventDispatcherHandler.builder(encrypt_key, verification_token)
    return builder.register_p2_card_action_trigger(on_card).build()


def serve(keys):
    from flask import Flask
    from gunicorn.app.base import BaseApplication
    from lark_oapi.adapter.flask import parse_req, parse_resp

    handler = dispatcher(keys["encrypt_key"], keys["verification_token"])
    routes = Flask(__name__)

    @routes.route("/callback", methods=["POST"])
    def callback():
        return parse_resp(handler.do(parse_req()))

    def say_where(server):
        port = server.LISTENERS[0].sock.getsockname()[1]
        os.write(OUT, (json.dumps({"webhook": port}) + "\n").encode())

    class Server(BaseApplication):
        def load_config(self):
            self.cfg.set("bind", "127.0.0.1:0")
            self.cfg.set("when_ready", say_where)
            for name, value in GUNICORN.items():
                self.cfg.set(name, value)

        def load(self):
            return routes

    Server().run()


def connect(order):
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # The loop that the SDK made when it was imported belongs to the parent.
    ws_client.loop = loop
    lark.ws.Client(order["app"], order["secret"], event_handler=dispatcher(), domain=order["domain"]).start()


def end_with(parent):
    """Nothing is left behind when the parent is killed."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def main():
    orders = json.loads(sys.argv[1])
    if "webhook" in orders:
        serve(orders["webhook"])
        return
    order, parent = orders["long_connection"], os.getpid()
    for _ in range(order["connections"] - 1):
        if os.fork() == 0:
            threading.Thread(target=end_with, args=(parent,), daemon=True).start()
            break
    connect(order)


main()
