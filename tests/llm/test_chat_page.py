"""The page about chatting with tools does what it says, with a model that follows a script."""

from __future__ import annotations

import re
from pathlib import Path

import pyhades
from pyhades.llm.text.chat import ChatAnswer
from pyhades.llm.text.harmony import HarmonyParser, render_chat
from tests.support.toy_tokenizer import tokens_of, toy_tokenizer

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "chat_with_tools.md"
CALL = (
    "<|channel|>analysis<|message|>Look.<|end|><|start|>assistant<|channel|>commentary "
    "to=functions.get_temperature <|constrain|>json<|message|>{}<|call|>"
)
SCRIPT = [
    "<|channel|>final<|message|>I do not know.<|return|>",
    CALL.replace("{}", '{"city": "Rome"}'),
    CALL.replace("{}", '{"city": "Oslo", "unit": "kelvin"}'),
    CALL.replace("{}", "Oslo!"),
    "<|channel|>final<|message|>In Rome.<|return|>",
    "<|channel|>analysis<|message|>Hm.<|end|>"
    "<|start|>assistant<|channel|>final<|message|>Still in Rome.<|return|>",
]


class ScriptedLLM:
    """Reads the conversation as a model would, and answers what the script says."""

    prompts: list[str]

    def __init__(self, path: str) -> None:
        self._script = iter(SCRIPT)
        self.prompts = []

    def chat(self, messages, stream=False, **keywords):
        tokens = render_chat(messages, toy_tokenizer(), **keywords)
        self.prompts.append(toy_tokenizer().decode(tokens))
        parser = HarmonyParser(toy_tokenizer())
        deltas = [d for token in tokens_of(next(self._script)) for d in parser.push(token)]
        deltas += parser.finish()
        return iter(deltas) if stream else ChatAnswer.collect(deltas)


def test_the_page(monkeypatch, capsys):
    monkeypatch.setattr(pyhades, "LLM", ScriptedLLM, raising=False)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    namespace: dict = {}
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), namespace)
    assert capsys.readouterr().out == "I do not know.\nIn Rome.\nStill in Rome."
    last = namespace["llm"].prompts[4]
    results = re.findall(r"to=assistant<\|channel\|>commentary<\|message\|>(.*?)<\|end\|>", last)
    assert results[:2] == ["31", "290"] and results[2].startswith("error: JSONDecodeError")
    assert last.count("<|message|>Look.<|end|>") == 3
    assert "type get_temperature = (_: {\n// Its English name\ncity: string," in last
