"""The language model as users see it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from collections.abc import Sequence as Items
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.arguments import check_count, one_of, renamed
from pyhades.errors import ArgumentError, ClosedError, ConfigurationError
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.checkpoint.locating import toy_model
from pyhades.llm.engine.generation import Collector, chat_deltas, text_deltas
from pyhades.llm.engine.request import Prompt, Request, as_list, context_length_of, request_of
from pyhades.llm.engine.runner import Piece, Runner
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.engine.scheduler import Scheduler
from pyhades.llm.measure.traffic import bytes_per_token
from pyhades.llm.models import open_checkpoint
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.registry import architecture_of
from pyhades.llm.models.weights import ModelWeights
from pyhades.llm.precision.loading import LoadedWeights, load_weights
from pyhades.llm.precision.recipe import Precision
from pyhades.llm.text.chat import ChatAnswer, ChatDelta, ReasoningEffort
from pyhades.llm.text.chat_stops import until_stop
from pyhades.llm.text.outputs import Delta, Generation
from pyhades.llm.text.tokenizer import Tokenizer
from pyhades.options import EngineOptions, engine_options, refuse_precision


class LLM:
    """A language model, ready to write.

    Parameters
    ----------
    model
        A checkpoint: a folder or file of Hugging Face safetensors, OpenAI's original layout, GGUF,
        or what ``pyhades convert`` writes. None is the toy model that ships with the package.
    threads, isa
        As in :func:`pyhades.compile`.
    precision
        ``"exact"``: weights as stored; ``"balanced"``: INT8 dense parts; ``"fast"``: INT4 dense
        parts; ``"auto"``: per tensor, by measured error. Experts in MXFP4 stay as they are. By
        default ``"balanced"``, or what a packed file has.
    options
        The three above in one; those that are given themselves win.
    context_length
        Most tokens of prompt and answer together; by default what the model allows, at most 8192.
    max_sequences
        How many answers are written at the same time.
    kv_format
        ``"bf16"`` or ``"int8"``.
    error_budget
        For ``"auto"``: what the root mean square of the relative errors of the dense parts' outputs
        may be; 0.05 by default. :attr:`precision_report` says what was chosen.
    calibration
        For ``"auto"``: token ids to measure on; by default prompts that ship with the package.
    progress
        Whether to show a bar while loading, on a terminal.
    path
        The old name of ``model``.

    Attributes
    ----------
    options
        What was asked for, see :class:`pyhades.EngineOptions`.
    threads, isa, precision
        What is used.

    Raises
    ------
    ModelError
        The checkpoint is malformed, or of an architecture that is not known.
    ArgumentError
        An argument has a value that is not allowed.

    Examples
    --------
    >>> import pyhades
    >>> with pyhades.LLM() as llm:
    ...     len(llm.generate("def ", max_tokens=4, temperature=0).token_ids)
    4
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        threads: int | None = None,
        isa: str | None = None,
        precision: Precision | None = None,
        options: EngineOptions | None = None,
        context_length: int | None = None,
        max_sequences: int = 8,
        kv_format: KvFormat = "bf16",
        error_budget: float | None = None,
        calibration: Items[int] | None = None,
        progress: bool = True,
        path: str | Path | None = None,
    ) -> None:
        model = renamed("path", "model", path, model)
        chosen = engine_options(options, threads=threads, isa=isa, precision=precision)
        one_of("kv_format", kv_format, KvFormat)
        checkpoint = open_checkpoint(toy_model() if model is None else model)
        weights = load_weights(
            checkpoint, chosen.precision, progress, error_budget=error_budget,
            calibration=calibration,
        )  # fmt: skip
        self._start(
            str(checkpoint.source), checkpoint.config, weights, checkpoint.tokenizer(), chosen,
            context_length, max_sequences, kv_format,
        )  # fmt: skip

    @classmethod
    def from_weights(
        cls,
        config: ModelConfig,
        weights: ModelWeights[Any],
        tokenizer: Tokenizer | None = None,
        *,
        threads: int | None = None,
        isa: str | None = None,
        options: EngineOptions | None = None,
        context_length: int | None = None,
        max_sequences: int = 8,
        kv_format: KvFormat = "bf16",
        name: str = "weights",
    ) -> LLM:
        """A model whose weights are in memory already, see :mod:`pyhades.llm.measure.synthetic`."""
        chosen = engine_options(options, threads=threads, isa=isa)
        refuse_precision(chosen, "what is loaded", weights.precision)
        one_of("kv_format", kv_format, KvFormat)
        llm = cls.__new__(cls)
        llm._start(
            name, config, weights, tokenizer, chosen, context_length, max_sequences, kv_format
        )
        return llm

    def _start(
        self,
        name: str,
        config: ModelConfig,
        weights: ModelWeights[Any],
        tokenizer: Tokenizer | None,
        options: EngineOptions,
        context_length: int | None,
        max_sequences: int,
        kv_format: KvFormat,
    ) -> None:
        self.name = name
        self.config = config
        self.options = options
        self.precision = weights.precision
        self.precision_report = weights.report if isinstance(weights, LoadedWeights) else None
        self.weight_bytes = weights.nbytes
        self.bytes_per_token = bytes_per_token(config, weights, kv_format=kv_format)
        self.threads, self.isa = options.threads_used, options.tier
        self.context_length = context_length_of(context_length, config)
        self._tokenizer = tokenizer
        self._turn = threading.Lock()
        self._runner: Runner | None = Runner(
            config, weights, self.context_length, check_count("max_sequences", max_sequences),
            self.threads, options.isa, kv_format,
        )  # fmt: skip

    # Text and tokens.

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the checkpoint; ConfigurationError where it has none."""
        if self._tokenizer is None:
            raise ConfigurationError(
                f"{self.name} has no tokenizer.json; put it beside the weights, or pass token ids"
            )
        return self._tokenizer

    @property
    def has_tokenizer(self) -> bool:
        """Whether the model takes text, and not token ids only."""
        return self._tokenizer is not None

    def tokenize(self, text: str) -> list[int]:
        """Token ids of ``text``, which never become special tokens."""
        return self.tokenizer.encode(text)

    def detokenize(self, tokens: Items[int]) -> str:
        """Text of ``tokens``."""
        return self.tokenizer.decode(tokens)

    # Generation.

    def generate(
        self,
        prompts: Prompt | Items[Prompt],
        params: SamplingParams | None = None,
        *,
        on_delta: Callable[[Delta], object] = lambda delta: None,
        **keywords: Any,
    ) -> Generation | list[Generation]:
        """Continue one prompt, or several together.

        Parameters
        ----------
        prompts
            Text, token ids, or a list of either.
        params
            How to sample; keywords set fields of it, e.g. ``temperature=0, max_tokens=50``.
        on_delta
            Called with each piece of each answer as it comes.

        Returns
        -------
        Generation or list of Generation
            One per prompt; a list for a list.

        Raises
        ------
        ArgumentError
            A prompt is empty or a parameter has no meaning.
        CapacityError
            A prompt is longer than the context.
        CancelledError
            Another thread called :meth:`cancel`.
        """
        items, several = as_list(prompts)
        requests = self._requests(items, params, keywords)
        collector = Collector(requests)
        for delta in self._stream(requests):
            collector.add(delta)
            on_delta(delta)
        generations = collector.finish()
        return generations if several else generations[0]

    def stream(
        self,
        prompts: Prompt | Items[Prompt],
        params: SamplingParams | None = None,
        **keywords: Any,
    ) -> Generator[Delta, None, None]:
        """Like :meth:`generate`, piece by piece. Closing the iterator stops the work."""
        items, _ = as_list(prompts)
        return self._stream(self._requests(items, params, keywords))

    async def astream(
        self,
        prompts: Prompt | Items[Prompt],
        params: SamplingParams | None = None,
        **keywords: Any,
    ) -> AsyncIterator[Delta]:
        """Like :meth:`stream`, for ``async for``; the work is done on another thread."""
        deltas = self.stream(prompts, params, **keywords)
        ended = object()
        try:
            while True:
                delta = await asyncio.to_thread(next, deltas, ended)
                if not isinstance(delta, Delta):
                    return
                yield delta
        finally:
            await asyncio.to_thread(deltas.close)

    async def agenerate(
        self,
        prompts: Prompt | Items[Prompt],
        params: SamplingParams | None = None,
        **keywords: Any,
    ) -> Generation | list[Generation]:
        """Like :meth:`generate`, for ``await``."""
        return await asyncio.to_thread(self.generate, prompts, params, **keywords)

    # Chat.

    def chat(
        self,
        messages: Items[Mapping[str, Any]],
        params: SamplingParams | None = None,
        *,
        tools: Items[Mapping[str, Any]] | None = None,
        reasoning_effort: ReasoningEffort = "medium",
        date: str | None = "today",
        instructions: str | None = None,
        response_format: Mapping[str, Any] | None = None,
        stream: bool = False,
        **keywords: Any,
    ) -> ChatAnswer | Iterator[ChatDelta]:
        """Answer a conversation, in the chat format of the model.

        Parameters
        ----------
        messages
            Dicts with ``role`` and ``content``, as in OpenAI's API.
        params
            How to sample; keywords set fields of it.
        tools
            Functions that the model may call, as in OpenAI's API.
        reasoning_effort
            ``"low"``, ``"medium"`` or ``"high"``.
        date
            ``"today"``, a date, or None to leave it out (so that a prompt is the same tomorrow).
        instructions
            Added to those of the messages.
        response_format
            A JSON schema that the answer is asked to follow, as in OpenAI's API.
        stream
            Give an iterator of :class:`ChatDelta`, split by channel, instead of the whole answer.

        Returns
        -------
        ChatAnswer or iterator of ChatDelta
            The answer: ``content``, ``reasoning``, ``tool_calls``, ``message`` for the history.
        """
        chat = architecture_of(self.config).chat
        prompt = chat.render(
            messages, self.tokenizer, tools=tools, reasoning_effort=reasoning_effort, date=date,
            instructions=instructions, response_format=response_format,
        )  # fmt: skip
        params = (params or SamplingParams()).changed(**keywords)
        if params.n != 1:
            raise ArgumentError("chat gives one answer; call it n times, or use generate")
        requests = self._requests([prompt], params, {"stop": ()})
        parser = chat.parser(self.tokenizer)
        deltas = until_stop(chat_deltas(self._stream(requests), parser), params.stop)
        return deltas if stream else ChatAnswer.collect(deltas)

    async def achat(self, messages: Items[Mapping[str, Any]], **keywords: Any) -> ChatAnswer:
        """Like :meth:`chat`, for ``await``."""
        answer = await asyncio.to_thread(lambda: self.chat(messages, stream=False, **keywords))
        assert isinstance(answer, ChatAnswer)
        return answer

    # Evaluation.

    def logits(self, tokens: Items[int]) -> NDArray[np.float32]:
        """Logits after every token of a text.

        Parameters
        ----------
        tokens
            Token ids, at most ``context_length``.

        Returns
        -------
        ndarray
            float32 ``[len(tokens), vocab_size]``.
        """
        ids = list(tokens)
        result = np.empty((len(ids), self.config.vocab_size), np.float32)
        first = 0
        for rows in self.logit_rows(ids):
            result[first : first + len(rows)] = rows
            first += len(rows)
        return result

    def logit_rows(self, tokens: Items[int]) -> Generator[NDArray[np.float32], None, None]:
        """Like :meth:`logits`, some rows at a time, in a buffer that the next ones overwrite.

        The model is busy until the iterator has ended or is closed.
        """
        ids = list(tokens)
        with self._working() as runner:
            sequence = runner.cache.sequence()
            try:
                step = min(runner.limits.wanted, runner.limits.tokens)
                for first in range(0, len(ids), step):
                    piece = ids[first : first + step]
                    yield runner.run([Piece(sequence, piece, len(piece))])[0]
            finally:
                runner.cache.free(sequence)

    # Life.

    def cancel(self) -> None:
        """Stop the work of another thread, which gets a CancelledError."""
        if self._runner is not None:
            self._runner.cancel()

    def close(self) -> None:
        """Free the weights, the cache and the threads' memory."""
        with self._turn:
            if self._runner is not None:
                self._runner.close()
                self._runner = None

    def __enter__(self) -> LLM:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        c = self.config
        state = "" if self._runner is not None else ", closed"
        return (
            f"LLM({self.name}: {c.num_hidden_layers} layers, {c.num_local_experts} experts, "
            f"{self.precision}, {self.weight_bytes / 1e9:.2f} GB, context {self.context_length}, "
            f"{self.threads} threads, {self.isa}{state})"
        )

    # Inside.

    @contextlib.contextmanager
    def _working(self) -> Iterator[Runner]:
        """The runner, for one caller at a time."""
        with self._turn:
            if self._runner is None:
                raise ClosedError(f"{self.name} is closed; open it again")
            self._runner.allow()
            yield self._runner

    def _stream(self, requests: Items[Request]) -> Generator[Delta, None, None]:
        with self._working() as runner:
            yield from text_deltas(Scheduler(runner, requests), self._tokenizer)

    def _requests(
        self, prompts: Items[Prompt], params: SamplingParams | None, keywords: Mapping[str, Any]
    ) -> list[Request]:
        params = (params or SamplingParams()).changed(**keywords)
        if self._runner is not None and params.n > self._runner.limits.sequences:
            most = self._runner.limits.sequences
            raise ArgumentError(f"n={params.n}: this model writes at most {most} answers at once")
        stops = frozenset() if params.ignore_eos else frozenset(self.config.eos_token_ids)
        return [
            request_of(
                number, self.tokenize(prompt) if isinstance(prompt, str) else prompt, params,
                self.context_length, stops,
            )
            for number, prompt in enumerate(prompts)
        ]  # fmt: skip
