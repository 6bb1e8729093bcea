"""Does what the button's name says: one cell of the conformance table each."""

from boundary import exported  # isort: skip

import datetime
import json
import random
import socket
import urllib.request
from zoneinfo import ZoneInfo

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import atomics, logging, open_api, request, wasi_config_store, wasi_keyvalue_store
from wit_world.imports.types import (
    Card_Raw,
    Card_Template,
    CardReply,
    CardTemplate,
    Failure_Internal,
    Failure_User,
    InlinePreview,
    LegacyReply_Toast,
    PreviewReply,
    Toast,
    ToastKind,
)


def info(content):
    return CardReply(Toast(ToastKind.INFO, content, []), None)


def toast(_):
    texts = [("zh_cn", "提示"), ("ja_jp", "トースト")]
    return CardReply(Toast(ToastKind.WARNING, "toast", texts), None)


def raw_card(_):
    elements = [{"tag": "markdown", "content": "raw card"}]
    return CardReply(None, Card_Raw(json.dumps({"schema": "2.0", "body": {"elements": elements}})))


def template_card(_):
    template = CardTemplate("AAqconformance", "1.0.0", json.dumps({"who": "Ann"}))
    return CardReply(None, Card_Template(template))


def text(card):
    content = json.loads(card.action.value)["text"]
    return CardReply(Toast(ToastKind.INFO, content, [("zh_cn", content)]), None)


def failure(_):
    raise Err(Failure_User(Toast(ToastKind.ERROR, "failure", [])))


def trap(_):
    raise RuntimeError("trap")


def crash(_):
    raise RuntimeError("the reason of a crash")


def prints(_):
    print("printed", "日志")
    return info("printed")


def time_zone(_):
    """In a zone, a codec and a module that Python imports only here."""
    time = datetime.datetime.strptime("2026-12-01 +0000", "%Y-%m-%d %z")
    assert "é.example".encode("idna") == b"xn--9ca.example"
    return info(time.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%H:%M:%S"))


# As urllib3 does when it is imported.
try:
    socket.socket().bind(("127.0.0.1", 0))
except OSError:
    pass


def sockets(_):
    try:
        urllib.request.urlopen("http://a.example/")
    except OSError as error:
        return info(str(error))


def endless_loop(_):
    while True:
        pass


def log(_):
    logging.log(logging.Level.WARN, "conformance", "logged 日志")
    return info("logged")


def keep(_):
    bucket = wasi_keyvalue_store.open("default")
    bucket.set("键", "kept 日志".encode())
    bucket.set("sum", b"40")
    total = atomics.increment(bucket, "sum", 2)
    return info(f"{bucket.get('键').decode()} {total}")


def send(open_id, text):
    """As the README of hello-python has it."""
    message = {"receive_id": open_id, "msg_type": "text", "content": json.dumps({"text": text})}
    answer = open_api.call(
        open_api.ApiRequest(
            open_api.Method.POST,
            "/open-apis/im/v1/messages",
            [("receive_id_type", "open_id")],
            json.dumps(message),
            None,
        )
    )
    verdict = json.loads(answer.body)
    if verdict["code"] != 0:
        raise Err(Failure_Internal(f"the platform says {verdict['code']}: {verdict['msg']}"))


def message(card):
    send(card.operator.open_id, "a message 消息")
    return info("sent")


BUTTONS = {
    "toast": toast,
    "raw card": raw_card,
    "template card": template_card,
    "form values": lambda card: info(card.action.form_value),
    "text": text,
    "integers": lambda card: info(str(card.header.created_ms)),
    "1 MB payload": lambda card: info(str(len(json.loads(card.action.value)["text"]))),
    "failure": failure,
    "trap": trap,
    "crash": crash,
    "half an emoji": lambda _: info("cut 😀".encode("utf-16-le")[:10].decode("utf-16-le", "surrogatepass")),
    "random": lambda _: info(str(random.random())),
    "sockets": sockets,
    "print": prints,
    "time zone": time_zone,
    "endless loop": endless_loop,
    "oversized allocation": lambda _: info(str(len(bytearray(512 << 20)))),
    "logging": log,
    "key-value": keep,
    "settings": lambda _: info(wasi_config_store.get("greeting") or ""),
    "message": message,
    "remaining time": lambda _: info(str(request.remaining_ms())),
}


class CardActionHandler(exports.CardActionHandler):
    @exported
    def handle(self, action):
        return BUTTONS[action.action.name](action)


class LinkPreviewHandler(exports.LinkPreviewHandler):
    @exported
    def handle(self, request):
        return PreviewReply(InlinePreview(request.url, [("zh_cn", "链接")], None, None), None)


class LegacyCardHandler(exports.LegacyCardHandler):
    @exported
    def handle(self, action):
        return LegacyReply_Toast(Toast(ToastKind.SUCCESS, action.operator.open_id, []))


class EventHandler(exports.EventHandler):
    @exported
    def handle(self, event):
        logging.log(logging.Level.INFO, "conformance", event.body)
