"""Somebody who reads the page and types into it."""

from __future__ import annotations

from typing import Any


class Chat:
    """The page as somebody uses it who has a keyboard."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        page.goto(url)
        self.question = page.get_by_label("Your question", exact=True)

    def ask(self, text: str) -> None:
        self.page.wait_for_selector("#send:not([disabled])", state="attached")
        self.question.fill(text)
        self.question.press("Enter")

    def answered(self) -> Chat:
        """Wait for the end of the last answer, whichever it is."""
        self.page.wait_for_selector(".turn:last-child .again:not([hidden])", state="attached")
        return self

    @property
    def last(self) -> Any:
        return self.page.locator(".turn:last-child")

    def text(self, part: str) -> str:
        return self.last.locator(f".{part}").inner_text()

    def wait_for(self, part: str, text: str) -> None:
        self.last.locator(f".{part}", has_text=text).first.wait_for()
