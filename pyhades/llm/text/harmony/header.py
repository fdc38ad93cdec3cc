"""Headers of messages, read as models write them rather than as they should."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

from pyhades.llm.text.chat import NAMESPACE

CHANNELS = ("analysis", "commentary", "final")
ROLES = ("system", "developer", "user", "assistant", "tool")
_LONGEST = 200
_MOST_WORDS = 4
_WORD = re.compile(r"\s*(?!to=|functions\.)([^\s{]+)")
_AUTHOR = re.compile(r"\s*(?!to=)([^\s{]+)")
_TOOL = re.compile(r"\w+(\.[\w-]+)+|python")
_RECIPIENT = re.compile(r"\s*(?:to=\s*([^\s{]+)|(functions\.[^\s{]+))")
_TYPE = re.compile(r"\s*(\w+)")
_TYPES = ("json", "code")
_WITH_RECIPIENT = re.compile(r"\s*(?:\w+\s+)?(?:t|to|(?:to=\s*|f)[^\s{]*)(?:\s+\w*)?")
_NAMESPACES = re.compile(r"^(?:(?:functions?|tools?|assistant)[.:])+")
_EVERYBODY = ("all", "user", "assistant")

PartKind = Literal["role", "channel", "type"]


@dataclass(frozen=True)
class Header:
    """What stands before the content of a message.

    ``leftover`` is text that turned out not to be part of it: the content has begun without the
    token that says so.
    """

    role: str = "assistant"
    channel: str | None = None
    recipient: str | None = None
    content_type: str | None = None
    leftover: str = ""


def with_declared_name(header: Header, functions: Collection[str]) -> Header:
    """A header whose recipient is spelled as a function that was declared, where it means one.

    Models leave out the namespace, write the type of the arguments without a space after the name,
    or the name where the type should be.
    """
    if header.role != "assistant" or not functions:
        return header
    if header.recipient is None:
        if header.content_type not in functions:
            return header
        return replace(header, recipient=f"{NAMESPACE}.{header.content_type}", content_type=None)
    name = header.recipient.removeprefix(f"{NAMESPACE}.")
    if name in functions:
        return replace(header, recipient=f"{NAMESPACE}.{name}")
    name = _NAMESPACES.sub("", name)
    alike = [known for known in functions if _plain(known) == _plain(name)]
    glued = [known for known in functions if _is_glued(name, known)]
    if len(alike) == 1:
        return replace(header, recipient=f"{NAMESPACE}.{alike[0]}")
    if not glued:
        return header
    known = max(glued, key=len)
    kind = next((kind for kind in _TYPES if name.endswith(kind)), None)
    return replace(
        header, recipient=f"{NAMESPACE}.{known}", content_type=header.content_type or kind
    )


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_")


def _is_glued(name: str, known: str) -> bool:
    """Whether something that is no part of a name follows a known one."""
    rest = name.removeprefix(known)
    return rest != name and (rest.strip("_.:-|<>") in _TYPES or not re.search(r"\w", rest))


class HeaderReader:
    """Collects the parts of a header: the role, then what follows each marker.

    Parameters
    ----------
    is_started
        Whether ``<|start|>`` stands before it. An answer begins without, because the prompt ends
        with ``<|start|>assistant``.
    """

    def __init__(self, is_started: bool) -> None:
        self._is_started = is_started
        self._parts: list[tuple[PartKind, str]] = [("role", "")]

    def begin(self, kind: PartKind) -> None:
        """``<|channel|>`` or ``<|constrain|>`` has come."""
        self._parts.append((kind, ""))

    def add(self, text: str) -> bool:
        """Take text; whether it can still be that of a header."""
        kind, before = self._parts[-1]
        text = before + text
        self._parts[-1] = kind, text
        if kind == "role" and not self._is_started and not _may_begin_unstarted(text):
            return False
        # Beside a type only a recipient may stand.
        is_alone = kind == "type" and not _WITH_RECIPIENT.fullmatch(text)
        return _may_be_header(text, 1 if is_alone else _MOST_WORDS)

    def read(self, is_complete: bool) -> Header:
        """The header; ``is_complete`` where ``<|message|>`` has come."""
        parts = _Parts(is_complete)
        has_marks = is_complete or self._is_started or len(self._parts) > 1
        for kind, text in self._parts:
            if kind == "role":
                parts.take_role(text, has_marks)
            elif kind == "channel":
                parts.take_channel(text)
            else:
                parts.take_type(text)
        return parts.header()


class _Parts:
    def __init__(self, is_complete: bool) -> None:
        self._is_complete = is_complete
        self._role = "assistant"
        self._channel: str | None = None
        self._recipient: str | None = None
        self._type: str | None = None
        self._leftover: list[str] = []

    def header(self) -> Header:
        is_for_all = self._role == "assistant" and self._recipient in _EVERYBODY
        recipient = None if is_for_all else self._recipient
        leftover = " ".join(self._leftover)
        return Header(self._role, self._channel, recipient, self._type, leftover)

    def take_role(self, text: str, has_marks: bool) -> None:
        """Who speaks; without the name of a role or tool it is the assistant."""
        found = _AUTHOR.match(text)
        word = found.group(1) if found and has_marks else ""
        rest = text
        after = word.removeprefix("assistant")
        if word == "assistant" or (after != word and after.startswith((":", *CHANNELS))):
            rest = text[text.index("assistant") + len("assistant") :]
        elif word and (word.partition(":")[0] in ROLES or _TOOL.fullmatch(word)):
            self._role, rest = word, text[text.index(word) + len(word) :]
        if self._is_complete and rest.strip().startswith(CHANNELS):
            self.take_channel(rest)  # the marker was left out
        else:
            self._take_rest(rest)

    def take_channel(self, text: str) -> None:
        found = _WORD.match(text)
        word = found.group(1) if found else ""
        known = next((name for name in CHANNELS if word.startswith(name)), None)
        if known:
            self._set_channel(known)
            self._take_rest(text[text.index(known) + len(known) :])
        elif found and self._is_complete:
            self._set_channel(word)
            self._take_rest(text[found.end() :])
        else:
            self._take_rest(text)

    def take_type(self, text: str) -> None:
        """The type of the content; some name the function that is called in its place."""
        text = self._take_recipient(text)
        found = _TYPE.match(text)
        if found and (self._is_complete or found.group(1) in _TYPES):
            self._set_type(found.group(1))
            text = self._take_recipient(text[found.end() :])
        self._keep(text)

    def _take_rest(self, text: str) -> None:
        """A recipient, then the type of the content without its marker, or content."""
        text = self._take_recipient(text)
        if self._is_complete and len(text.split()) == 1 and _TYPE.fullmatch(text.strip()):
            self._set_type(text.strip())
        else:
            self._keep(text)

    def _take_recipient(self, text: str) -> str:
        """What is left of a text that may begin with a recipient."""
        found = _RECIPIENT.match(text)
        if found is None:
            return text
        self._recipient = found.group(1) or found.group(2)
        return text[found.end() :]

    def _set_channel(self, channel: str) -> None:
        """Of several channels the last counts; one that is not known may have been text."""
        if self._channel not in (None, *CHANNELS):
            self._keep(self._channel)
        self._channel = channel

    def _set_type(self, content_type: str) -> None:
        if self._type not in (None, *_TYPES):
            self._keep(self._type)
        self._type = content_type

    def _keep(self, text: str) -> None:
        if text.strip():
            self._leftover.append(text.lstrip())


def _may_be_header(text: str, most_words: int) -> bool:
    inner = text.strip()
    is_short = len(inner) <= _LONGEST and len(inner.split()) <= most_words
    return is_short and "\n" not in inner and "{" not in inner


def _may_begin_unstarted(text: str) -> bool:
    """Whether text without ``<|start|>`` begins like a header."""
    words = text.split()
    if not words:
        return True
    first = words[0]
    is_whole = len(words) > 1 or text[-1].isspace()
    known = ("assistant", *CHANNELS)
    if first.startswith("to=") or any(first.startswith(name) for name in known):
        return True
    return not is_whole and any(name.startswith(first) for name in ("to=", *known))
