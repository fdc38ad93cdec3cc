"""Reasoning that clients carry for the server: they can send it back, and not make it up."""

from __future__ import annotations

import base64
import hashlib
import hmac

from pyhades.server.protocol.face import Desk

_MARK = "ph1"


def sealed(text: str, desk: Desk) -> str:
    """A text with a signature of the server, for one client.

    It is signed and not hidden: whoever is told it has been told the text as well.
    """
    content = base64.urlsafe_b64encode(text.encode()).decode()
    return f"{_MARK}.{content}.{signature_of(text, desk)}"


def unsealed(given: object, desk: Desk) -> str | None:
    """The text of :func:`sealed`; None where it is not of this server, for this client."""
    mark, _, rest = given.partition(".") if isinstance(given, str) else ("", "", "")
    content, _, signature = rest.partition(".")
    if mark != _MARK:
        return None
    try:
        text = base64.urlsafe_b64decode(content.encode()).decode()
    except ValueError:
        return None
    is_ours = hmac.compare_digest(signature.encode(), signature_of(text, desk).encode())
    return text if is_ours else None


def signature_of(text: str, desk: Desk) -> str:
    """That of the server under a text, for one client."""
    signed = f"{desk.client}\0{text}".encode()
    digest = hmac.new(desk.settings.secret, signed, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode()
