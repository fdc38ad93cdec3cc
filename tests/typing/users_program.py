"""What users write, which mypy checks as strictly as the package: nobody runs it.

The first two functions hold the README's first examples, to the letter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import pyhades
from pyhades.llm import ChatAnswer, ChatDelta, Generation


def cut_out() -> None:
    # Any segmentation network in ONNX: InSPyReNet, U²-Net, IS-Net; without a path, a small demo.
    with pyhades.Remover("inspyrenet.onnx", threads=2) as remover:
        remover("photo.jpg").save("cutout.png")  # RGBA, upright, in the size of the photograph
        remover("photo.jpg", background="white").save("on-white.png")
        remover("photo.jpg", output="mask").save("mask.png")
        for cutout in remover.map(["photo.jpg", "photo.jpg"]):  # the next is read meanwhile
            print(cutout.size)


def chat() -> None:
    # LLM("gpt-oss-20b/") takes safetensors, GGUF or what `pyhades convert` packs; here a toy.
    with pyhades.LLM(threads=2) as llm:
        messages = [{"role": "user", "content": "What does os.path.join do?"}]
        answer = llm.chat(messages, max_tokens=60)
        print(answer.reasoning, answer.content, sep="\n")
        for piece in llm.stream("import os", max_tokens=20):  # plain text, as it is written
            print(piece.text, end="", flush=True)


def generate(llm: pyhades.LLM) -> None:
    """One for one, a list for a list."""
    assert_type(llm.generate("import os", temperature=0), Generation)
    assert_type(llm.generate([1, 2, 3]), Generation)
    assert_type(llm.generate(["import os", "import re"]), list[Generation])
    assert_type(llm.generate([[1, 2], [3]], seed=0), list[Generation])
    prompts: list[str | list[int]] = ["import os", [1, 2]]
    assert_type(llm.generate(prompts, on_delta=print), list[Generation])
    llm.generate("import os", temperatur=0)  # type: ignore[call-overload]


async def generate_meanwhile(llm: pyhades.LLM) -> None:
    """The same, awaited."""
    assert_type(await llm.agenerate("import os", max_tokens=4), Generation)
    answers = await llm.agenerate(("import os", "import re"), stop="\n")
    assert_type(answers, list[Generation])
    first, second = await asyncio.gather(llm.agenerate("import os"), llm.agenerate("import re"))
    print(first.text, second.text)


def converse(llm: pyhades.LLM, wants_pieces: bool) -> None:
    """Whole, in pieces, or as it turns out."""
    messages = [{"role": "user", "content": "Hi"}]
    answer = llm.chat(messages, n=2, reasoning_effort="low", date=None)
    assert_type(answer, ChatAnswer)
    messages.append(answer.message)
    assert_type(llm.chat(messages, stream=False), ChatAnswer)
    assert_type(llm.chat(messages, stream=True, max_tokens=9), Iterator[ChatDelta])
    either = llm.chat(messages, stream=wants_pieces)
    assert_type(either, ChatAnswer | Iterator[ChatDelta])
    llm.chat(messages, reasoning_effort="lots")  # type: ignore[call-overload]
    options: dict[str, Any] = {"max_tokens": 9, "tools": []}
    llm.chat(messages, **options)  # what programs read from elsewhere


def many(remover: pyhades.Remover) -> None:
    """Errors are raised, unless they are asked for."""
    assert_type(remover.map(["a.jpg"], background="white"), Iterator[Image.Image])
    assert_type(remover.map(["a.jpg"], on_error="raise"), Iterator[Image.Image])
    for result in remover.map(["a.jpg"], on_error="return"):
        print(result if isinstance(result, Exception) else result.size)
    assert_type(remover.matte("a.jpg"), NDArray[np.uint8])


def any_network() -> None:
    """Sizes of a program are whole numbers."""
    program = pyhades.compile(pyhades.load_onnx("model.onnx"), threads=2)
    shape = program.inputs["input"].static_shape
    assert_type(shape, tuple[int, ...])
    outputs = program.run({"input": np.zeros(shape, np.float32)})
    print({name: array.shape for name, array in outputs.items()})
