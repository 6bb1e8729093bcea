"""Between the handlers and the host: what a component lacks of Python, and text that is not UTF-8. Imported first."""

import functools
import importlib
import pkgutil
import socket
from dataclasses import fields, is_dataclass, replace
from zoneinfo import ZoneInfo, available_timezones

import encodings
from componentize_py_types import Err

NO_SOCKETS = "a plugin has no sockets: ask with lark:callback/open-api, or with wasi:http"


class NoSocket(socket.socket):
    def __init__(self, *_, **__):
        raise OSError(NO_SOCKETS)


def no_address(*_, **__):
    raise socket.gaierror(socket.EAI_FAIL, NO_SOCKETS)


# urllib3 opens one when it is imported. It would be part of the component, and a crash of whoever asks for another.
socket.socket, socket.getaddrinfo = NoSocket, no_address

# Python imports these where they are first used, and a component has no files to import them from.
LATE = ["_strptime", *(f"encodings.{codec.name}" for codec in pkgutil.iter_modules(encodings.__path__))]
for module in LATE:
    try:
        importlib.import_module(module)
    except ImportError:
        pass  # a codec of another system

# ZoneInfo finds a zone as long as somebody holds it.
ZONES = [ZoneInfo(name) for name in sorted(available_timezones())]


def exported(handle):
    """Makes a handler an export: half an emoji in what it returns or raises becomes U+FFFD instead of a crash."""

    @functools.wraps(handle)
    def wrapped(self, request):
        try:
            return well_formed(handle(self, request))
        except Err as failure:
            raise Err(well_formed(failure.value)) from failure

    return wrapped


def well_formed(value):
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, (list, tuple)):
        return type(value)(map(well_formed, value))
    if is_dataclass(value):
        changed = {field.name: well_formed(getattr(value, field.name)) for field in fields(value)}
        return replace(value, **changed)
    return value
