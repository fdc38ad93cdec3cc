"""What people see and press, in a real browser."""

from __future__ import annotations

import json

import pytest

from tests.server.browser.scripted import ATTACK, Scripted
from tests.support.served import until

pytestmark = pytest.mark.slow


class Chat:
    """The page as somebody uses it who has a keyboard."""

    def __init__(self, page, url: str) -> None:
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
    def last(self):
        return self.page.locator(".turn:last-child")

    def text(self, part: str) -> str:
        return self.last.locator(f".{part}").inner_text()

    def wait_for(self, part: str, text: str) -> None:
        self.last.locator(f".{part}", has_text=text).first.wait_for()


@pytest.fixture
def chat(scripted, page) -> Chat:
    return Chat(page, scripted.url)


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
    assert said(scripted) == ["one", "You asked: one", "two", "You asked: two", "three"]
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
    assert said(scripted) == ["one", "You asked: one", "2"]
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
    assert said(scripted) == ["one"]


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


def test_the_toy_answers(page, toy_server):
    """The real server and its policy, its stream, its counts."""
    chat = Chat(page, toy_server.url)
    chat.ask("What does os.path.join do?")
    chat.answered()
    assert chat.text("prose")
    assert not chat.last.locator(".error").is_visible()
    assert " read" in chat.text("numbers") and " written" in chat.text("numbers")
    assert toy_server.service.names[0] == page.get_by_label("Model").input_value()


def said(server: Scripted) -> list[str]:
    """What the server was told last."""
    return [message["content"] for message in server.bodies[-1]["messages"]]
