"""What the plugin answers. Plain functions over the contract's records, so that Python can test them without a host."""

import json
from urllib.parse import urlsplit

from componentize_py_types import Err
from wit_world.imports.types import (
    Card_Raw,
    CardAction,
    CardReply,
    Failure_Internal,
    InlinePreview,
    PreviewReply,
    PreviewRequest,
    Toast,
    ToastKind,
)


def on_click(action: CardAction) -> CardReply:
    """A button says hello to whoever touched it; a form is shown as it was filled in."""
    lines = [f"Touched by <at id={action.operator.open_id}></at>"]
    lines += [f"**{name}**: {value}" for name, value in form(action).items()]
    toast = Toast(
        ToastKind.SUCCESS,
        "Hello from Python",
        [("en_us", "Hello from Python"), ("zh_cn", "来自 Python 的问候")],
    )
    return CardReply(toast, Card_Raw(card(lines)))


def on_link(request: PreviewRequest) -> PreviewReply:
    """A link is shown as its host and its path."""
    url = urlsplit(request.url)
    title = f"{url.netloc} · {url.path or '/'}" if url.netloc else request.url
    return PreviewReply(InlinePreview(title, [], None, None), None)


def form(action: CardAction) -> dict:
    try:
        return json.loads(action.action.form_value or "{}")
    except ValueError as error:
        # Failure_User has a toast for the user, Failure_Internal words for the log.
        raise Err(Failure_Internal(f"the form is not JSON: {error}"))


def card(lines: list[str]) -> str:
    """Card JSON 2.0."""
    elements = [{"tag": "markdown", "content": line} for line in lines]
    header = {"title": {"tag": "plain_text", "content": "Hello"}, "template": "green"}
    document = {"schema": "2.0", "header": header, "body": {"elements": elements}}
    return json.dumps(document, ensure_ascii=False)
