"""What a model writes, as a real browser shows it."""

from __future__ import annotations

import pytest

from tests.server.browser.reader import Chat
from tests.server.browser.scripted import ATTACK
from tests.support.served import until

pytestmark = pytest.mark.slow


def test_an_answer_streams_in_with_its_reasoning_apart(chat, scripted):
    chat.ask("think of a tree")
    chat.wait_for("waiting", "Reading the prompt… ")
    scripted.go_on("read")
    chat.wait_for("reasoning", "Thinking…")
    assert not chat.last.locator(".waiting").is_visible()
    assert not chat.last.locator(".thoughts").is_visible()
    chat.last.locator("summary").click()
    assert chat.text("thoughts") == "Someone <asks> of a tree."
    assert chat.text("prose") == ""
    assert chat.page.get_by_role("button", name="Stop").is_visible()
    scripted.go_on("thought")
    chat.answered()
    assert chat.text("prose").startswith("A tree has")
    assert chat.last.locator(".prose strong").inner_text() == "tree"
    assert chat.last.locator(".prose li").all_inner_texts() == ["leaves", "roots"]
    assert chat.last.locator("pre code").inner_text() == "print(1)\n"
    assert chat.text("above").startswith("python")
    assert "Thought for" in chat.text("reasoning")
    assert chat.text("numbers").endswith("30 read (20 cached) · 12 written (5 reasoning)")
    assert chat.page.get_by_role("status").inner_text() == "The answer is complete."
    assert chat.page.get_by_role("button", name="Send").is_visible()


def test_what_a_model_writes_stays_text(chat):
    """The fixture of the page sees to it that the policy had nothing to forbid, either."""
    chat.ask("attack")
    chat.answered()
    page = chat.page
    page.wait_for_timeout(100)  # for whatever would have been started
    assert page.evaluate("window.attacked") is None
    prose = chat.last.locator(".prose")
    tags = prose.evaluate(
        "node => [...new Set([...node.querySelectorAll('*')].map(x => x.localName))]"
    )
    assert set(tags) <= {"p", "a", "pre", "code", "div", "button"}
    for piece in ("<script>window.attacked = 1</script>", "<img src=x onerror=", "<iframe", "<svg"):
        assert piece in ATTACK and piece in prose.inner_text()
    links = prose.locator("a").evaluate_all("all => all.map(a => [a.textContent, a.href, a.rel])")
    rel = "noopener noreferrer nofollow"
    assert links == [
        ["seen", "https://elsewhere.example/pixel.png", rel],
        ["click", "", ""],
        ["good", "https://good.example/", rel],
    ]


def test_reasoning_and_calls_are_text_too(chat):
    chat.ask("call")
    chat.answered()
    assert "Wants to call get_weather" in chat.text("calls")
    assert chat.last.locator(".calls pre").inner_text() == '{"city": "<b>Oslo</b>"}'


COUNT = """() => {
    window.counted = { frames: 0, paragraphs: 0 };
    const frame = () => { counted.frames += 1; requestAnimationFrame(frame); };
    requestAnimationFrame(frame);
    const observer = new MutationObserver((changes) => {
        if (!document.querySelector("[aria-busy]")) return; // it is over
        const added = changes.flatMap((change) => [...change.addedNodes]);
        counted.paragraphs += added.filter((node) => node.localName === "p").length;
    });
    observer.observe(document.getElementById("turns"), { childList: true, subtree: true });
}"""
"""Frames of the browser, and paragraphs that were put into the page while an answer grew."""


def test_a_long_answer_does_not_freeze_the_page(chat, scripted):
    """Each paragraph is put there once, and the last one at most once a frame."""
    chat.page.evaluate(COUNT)
    chat.ask("long")
    for tenth in range(0, 3000, 300):
        if tenth:
            chat.wait_for("prose", f"Paragraph {tenth - 1} ")
        scripted.go_on(str(tenth))
    chat.answered()
    assert chat.last.locator(".prose > p").count() == 3000
    counted = chat.page.evaluate("counted")
    assert 2700 <= counted["paragraphs"] <= 3000 + counted["frames"]
    assert chat.text("ending").startswith("Cut off")
    below = "e => e.scrollHeight - e.scrollTop - e.clientHeight"
    until(lambda: chat.page.locator("#scroller").evaluate(below) < 2)


def test_what_is_too_deep_to_parse_is_shown_as_it_is(chat):
    chat.ask("deep")
    chat.answered()
    assert chat.text("prose").startswith("> > > ")
    assert chat.text("prose").endswith("> the end")


def test_who_scrolls_up_is_left_there(chat):
    chat.ask("endless")
    scroller = chat.page.locator("#scroller")
    until(lambda: scroller.evaluate("e => e.scrollHeight > e.clientHeight + 400"))
    scroller.hover()
    chat.page.mouse.wheel(0, -300)
    until(lambda: scroller.evaluate("e => e.scrollHeight - e.scrollTop - e.clientHeight > 200"))
    chat.page.wait_for_timeout(100)  # for a wheel that rolls on
    there, height = scroller.evaluate("e => [e.scrollTop, e.scrollHeight]")
    until(lambda: scroller.evaluate("e => e.scrollHeight") > height + 50)
    assert scroller.evaluate("e => e.scrollTop") == there


def test_the_toy_answers(page, toy_server):
    """The real server and its policy, its stream, its counts."""
    chat = Chat(page, toy_server.url)
    chat.ask("What does os.path.join do?")
    chat.answered()
    assert chat.text("prose")
    assert not chat.last.locator(".error").is_visible()
    assert " read" in chat.text("numbers") and " written" in chat.text("numbers")
    assert toy_server.service.names[0] == page.get_by_label("Model").input_value()
