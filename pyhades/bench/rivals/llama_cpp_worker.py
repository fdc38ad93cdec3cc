"""llama.cpp with one model: ``python -m pyhades.bench.rivals.llama_cpp_worker model.gguf``.

Answers each line of JSON with one, after a first with what is known about the model:

``{"depth": 2048, "tokens": 24}``
    the seconds of each of 24 tokens, written after 2048 that were read
``{"answers": 8, "read": 64, "tokens": 12}``
    the seconds of each of 12 steps that write a token of 8 texts, of which 64 tokens were read
``{"prompt": 512}``
    the seconds until the logits after a prompt of 512 tokens
``{}``
    the peak memory in GB, mapped pages of the file included

Everything is as the library sets it, but for the number of threads, and for windowed layers, which
keep their window only, as llama.cpp's own programs do.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import sys
import time
from typing import Any

import llama_cpp
import numpy as np

from pyhades.bench.memory import PeakMemory

BATCH = 512
"""Tokens that are read at once; the default of llama.cpp's micro-batches."""


class Engine:
    """A model and one context, which holds ``texts`` texts of ``context`` tokens together."""

    def __init__(self, path: str, threads: int, context: int, texts: int) -> None:
        llama_cpp.llama_backend_init()
        settings = llama_cpp.llama_model_default_params()
        settings.n_gpu_layers = 0
        self._model = llama_cpp.llama_model_load_from_file(path.encode(), settings)
        if not self._model:
            raise SystemExit(f"{path}: llama.cpp cannot load it")
        options = llama_cpp.llama_context_default_params()
        options.n_ctx = context
        options.n_seq_max = texts
        options.kv_unified = True
        options.n_threads = options.n_threads_batch = threads
        options.swa_full = False
        self._context = llama_cpp.llama_init_from_model(self._model, options)
        if not self._context:
            raise SystemExit(f"{path}: llama.cpp cannot make a context of {context} tokens")
        vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self._vocab_size = llama_cpp.llama_vocab_n_tokens(vocabulary)
        self._random = np.random.default_rng(0)

    def describe(self) -> str:
        """Say what llama.cpp calls the types of the weights."""
        text = ctypes.create_string_buffer(256)
        llama_cpp.llama_model_desc(self._model, text, len(text))
        return text.value.decode()

    def clear(self) -> None:
        """Forget all texts."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)

    def read(self, count: int) -> float:
        """Seconds until the logits after ``count`` random tokens."""
        ids = self._random.integers(0, self._vocab_size, count).tolist()
        began = time.perf_counter()
        for first in range(0, count, BATCH):
            piece = ids[first : first + BATCH]
            tokens = (llama_cpp.llama_token * len(piece))(*piece)
            batch = llama_cpp.llama_batch_get_one(tokens, len(piece))
            if llama_cpp.llama_decode(self._context, batch) != 0:
                raise SystemExit(f"llama.cpp cannot read {len(piece)} tokens")
        llama_cpp.llama_synchronize(self._context)
        return time.perf_counter() - began

    def write(self, answers: int, read: int, steps: int) -> list[float]:
        """Seconds of steps that write a token of each answer, after ``read`` tokens of each."""
        for text in range(answers):
            self._decode([(text, position) for position in range(read)])
        return [
            self._decode([(text, read + step) for text in range(answers)]) for step in range(steps)
        ]

    def _decode(self, places: list[tuple[int, int]]) -> float:
        """Seconds for random tokens at (text, position), with the logits of the last of each."""
        batch = llama_cpp.llama_batch_init(len(places), 0, 1)
        last = {text: position for text, position in places}
        tokens = self._random.integers(0, self._vocab_size, len(places)).tolist()
        for i, (text, position) in enumerate(places):
            batch.token[i], batch.pos[i] = tokens[i], position
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, text
            batch.logits[i] = last[text] == position
        batch.n_tokens = len(places)
        began = time.perf_counter()
        if llama_cpp.llama_decode(self._context, batch) != 0:
            raise SystemExit(f"llama.cpp cannot read {len(places)} tokens")
        llama_cpp.llama_synchronize(self._context)
        seconds = time.perf_counter() - began
        llama_cpp.llama_batch_free(batch)
        return seconds


def answer(engine: Engine, question: dict[str, Any]) -> dict[str, Any]:
    """Do what a line asks for."""
    if "prompt" in question:
        engine.clear()
        return {"seconds": engine.read(question["prompt"])}
    if "answers" in question:
        engine.clear()
        return {"seconds": engine.write(question["answers"], question["read"], question["tokens"])}
    if "depth" in question:
        engine.clear()
        engine.read(question["depth"])
        return {"seconds": [engine.read(1) for _ in range(question["tokens"])]}
    return {"peak_rss_gb": PeakMemory().nbytes() / 1e9}


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--context", type=int, default=4096)
    parser.add_argument("--texts", type=int, default=1)
    options = parser.parse_args()
    engine = Engine(options.model, options.threads, options.context, options.texts)
    for _ in range(2):
        engine.read(1)  # pages, clocks
    print(json.dumps({"precision": engine.describe()}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(engine, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
