"""The page about chatting with tools does what it says, with a model that follows a script."""

from __future__ import annotations

import re
from pathlib import Path

import pyhades
from pyhades.llm import LLM
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from pyhades.llm.text.outputs import Delta
from tests.support.toy_tokenizer import tokens_of, toy_tokenizer

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "chat_with_tools.md"
CALL = (
    "<|channel|>analysis<|message|>Look.<|end|><|start|>assistant<|channel|>commentary "
    "to=functions.get_temperature <|constrain|>json<|message|>{}<|call|>"
)
FINAL = "<|channel|>final<|message|>"
SCRIPT = [
    (f"{FINAL}I do not know.<|return|>",),
    (CALL.replace("{}", '{"city": "Rome"}'),),
    (CALL.replace("{}", '{"city": "Oslo", "unit": "kelvin"}'),),
    (CALL.replace("{}", "Oslo!"),),
    (f"{FINAL}In Rome.<|return|>",),
    (f"<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant{FINAL}Still in Rome.<|return|>",),
    (" Rome.<|return|>",),
    (f"{FINAL}One<|return|>", f"{FINAL}Two<|return|>", f"{FINAL}3<|return|>"),
]


def scripted(path: str) -> LLM:
    """A model that answers what the script says, and keeps what it was asked."""
    config = tiny_config(vocab_size=toy_tokenizer().vocab_size)
    llm = LLM.from_weights(config, random_weights(config), toy_tokenizer(), threads=1)
    script = iter(SCRIPT)
    llm.prompts = []

    def stream(requests):
        llm.prompts.append(toy_tokenizer().decode(requests[0].tokens))
        for index, text in enumerate(next(script)):
            *tokens, last = tokens_of(text)
            yield from (Delta(0, index, "", (token,)) for token in tokens)
            yield Delta(0, index, "", (last,), "stop")

    llm._stream = stream
    return llm


def test_the_page(monkeypatch, capsys):
    monkeypatch.setattr(pyhades, "LLM", scripted, raising=False)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    namespace: dict = {}
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), namespace)
    printed = capsys.readouterr().out
    assert printed.startswith("I do not know.\nIn Rome.\nStill in Rome.Warmer is Rome.\n")
    counts = [len(tokens_of(text)) for text in SCRIPT[-1]]
    assert printed.endswith(f"One {counts[0]}\nTwo {counts[1]}\n3 {counts[2]}\n")
    assert namespace["llm"].prompts[-2].endswith(f"<|start|>assistant{FINAL}Warmer is")
    last = namespace["llm"].prompts[4]
    results = re.findall(r"to=assistant<\|channel\|>commentary<\|message\|>(.*?)<\|end\|>", last)
    assert results[:2] == ["31", "290"] and results[2].startswith("error: JSONDecodeError")
    assert last.count("<|message|>Look.<|end|>") == 3
    assert "type get_temperature = (_: {\n// Its English name\ncity: string," in last
