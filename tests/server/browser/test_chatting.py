"""What people press in a real browser, and what becomes of it."""

from __future__ import annotations

import json

import pytest

from tests.server.browser.reader import Chat
from tests.server.browser.scripted import Scripted

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("how", ["the button", "Escape"])
def test_stop_ends_the_request(chat, scripted, how):
    chat.ask("endless")
    chat.wait_for("prose", "and so on")
    if how == "Escape":
        chat.page.keyboard.press("Escape")
    else:
        chat.page.get_by_role("button", name="Stop").click()
    chat.answered()
    assert chat.text("ending") == "Stopped."
    assert scripted.left.wait(20)
    assert chat.question.evaluate("field => field === document.activeElement")
    chat.ask("and now?")
    chat.answered()
    assert chat.text("prose") == "You asked: and now?"
    assert [message["role"] for message in scripted.bodies[-1]["messages"]] == [
        "user", "assistant", "user",
    ]  # fmt: skip


def test_questions_are_asked_again_and_reworded(chat, scripted):
    for question in ("one", "two", "three"):
        chat.ask(question)
        chat.answered()
    chat.last.get_by_role("button", name="Again").click()
    chat.answered()
    assert scripted.said == ["one", "You asked: one", "two", "You asked: two", "three"]
    second = chat.page.locator(".turn:nth-child(2)")
    second.get_by_role("button", name="Edit").focus()
    chat.page.keyboard.press("Enter")
    field = second.get_by_label("Your question, reworded")
    assert field.input_value() == "two"
    chat.page.keyboard.press("Escape")
    assert second.locator(".asked").is_visible()
    second.get_by_role("button", name="Edit").click()
    field.fill("2")
    field.press("Enter")
    chat.page.locator(".asked", has_text="2").wait_for()
    chat.answered()
    assert scripted.said == ["one", "You asked: one", "2"]
    assert chat.page.locator(".turn").count() == 2


def test_a_question_may_be_reworded_while_it_is_answered(chat, scripted):
    chat.ask("endless")
    chat.wait_for("prose", "and so on")
    chat.last.get_by_role("button", name="Edit").click()
    chat.last.get_by_label("Your question, reworded").fill("enough")
    chat.last.get_by_role("button", name="Ask again").click()
    chat.page.locator(".asked", has_text="enough").wait_for()
    chat.answered()
    assert scripted.left.wait(20)
    assert chat.text("prose") == "You asked: enough"


def test_a_new_chat_begins_with_nothing(chat, scripted):
    chat.ask("endless")
    chat.wait_for("prose", "and so on")
    chat.page.get_by_role("button", name="New chat").click()
    chat.page.get_by_role("heading", name="What would you like to know?").wait_for()
    assert scripted.left.wait(20)
    chat.ask("one")
    chat.answered()
    assert scripted.said == ["one"]


def test_errors_are_shown(chat):
    for word, message in {
        "overflow": "The prompt is too long.",
        "broken": "The engine broke.",
        "cut": "The connection ended before the answer did.",
    }.items():
        chat.ask(word)
        chat.answered()
        assert chat.text("error") == message
    assert chat.text("prose") == "As far as this,"


def test_who_comes_too_often_is_told_when_to_come_again(chat, scripted):
    chat.ask("busy")
    chat.answered()
    assert chat.text("error") == "Too many requests are waiting. Try again in 2 s."
    again = chat.last.get_by_role("button", name="Again")
    assert again.is_disabled() and again.inner_text() == "Again in 2 s"
    again.click()  # waits until it can be pressed
    chat.answered()
    assert len(scripted.bodies) == 2


def test_settings_are_sent_and_kept(chat, scripted):
    page = chat.page
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("System prompt").fill("Be brief.")
    page.get_by_label("Reasoning effort").select_option("high")
    page.get_by_label("Temperature").fill("0.3")
    page.get_by_label("Longest answer, in tokens").fill("0")
    page.get_by_role("button", name="Save").click()
    assert page.get_by_role("dialog").is_visible()  # an answer has one token at least
    page.get_by_label("Longest answer, in tokens").fill("64")
    page.get_by_role("button", name="Save").click()
    chat.ask("one")
    chat.answered()
    page.reload()
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Temperature").fill("0.9")
    page.keyboard.press("Escape")
    chat.ask("two")
    chat.answered()
    for body, question in zip(scripted.bodies, ("one", "two"), strict=True):
        assert body == {
            "model": "scripted",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": question},
            ],
            "reasoning_effort": "high",
            "temperature": 0.3,
            "max_completion_tokens": 64,
            "stream": True,
            "stream_options": {"include_usage": True},
        }


def test_a_key_is_asked_for_and_forgotten_with_the_tab(page):
    server = Scripted(key="secret")
    with server.running():
        chat = Chat(page, server.url)
        dialog = page.get_by_role("dialog", name="The server wants an API key")
        dialog.get_by_text("Incorrect API key").wait_for()
        dialog.get_by_label("API key").fill("wrong")
        dialog.get_by_role("button", name="Use it").click()
        dialog.get_by_text("Incorrect API key").wait_for()
        dialog.get_by_label("API key").fill("secret")
        page.keyboard.press("Enter")
        chat.ask("one")
        chat.answered()
        assert chat.text("prose") == "You asked: one"
        server.key = "another"  # it may change while the page is open
        chat.ask("two")
        dialog.get_by_label("API key").fill("another")
        page.keyboard.press("Enter")
        chat.answered()
        assert chat.text("prose") == "You asked: two"
        kept = page.evaluate("[JSON.stringify(localStorage), JSON.stringify(sessionStorage)]")
        assert "another" not in kept[0]
        assert json.loads(kept[1]) == {"pyhades.key": "another"}
        assert page.evaluate("document.cookie") == ""
        chat.ask("three")
        chat.answered()
        server.key = "yet another"
        chat.ask("four")
        dialog.get_by_role("button", name="Cancel").click()
        chat.answered()
        assert chat.text("error") == "Incorrect API key provided."


def test_the_page_waits_for_a_model_that_is_being_loaded(scripted, page):
    scripted.loading = True
    chat = Chat(page, scripted.url)
    page.get_by_role("alert").get_by_text("The model is being loaded.").wait_for()
    assert page.get_by_role("button", name="Send").is_disabled()
    scripted.loading = False
    chat.ask("one")
    chat.answered()
    assert not page.locator("#notice").is_visible()
    assert page.get_by_label("Model").input_value() == "scripted"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_reader(scripted, page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(scripted.url)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    shades = [int(shade) for shade in ground[4:-1].split(",")]
    assert (sum(shades) < 300) == (scheme == "dark")


def test_it_fits_a_phone(chromium, scripted):
    context = chromium.new_context(
        viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True
    )
    chat = Chat(context.new_page(), scripted.url)
    chat.page.wait_for_selector("#send:not([disabled])")
    chat.question.tap()
    chat.question.press_sequentially("one")
    chat.question.press("Enter")  # which begins a line there
    chat.question.press_sequentially("two")
    chat.page.get_by_role("button", name="Send").tap()
    chat.answered()
    assert chat.text("asked") == "one\ntwo"
    assert chat.page.evaluate("document.documentElement.scrollWidth") <= 360
    for name in ("New chat", "Settings"):
        assert chat.page.get_by_role("button", name=name).is_visible()
    context.close()
