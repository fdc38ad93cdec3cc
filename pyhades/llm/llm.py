"""The language model as users see it.

This is a face: signatures, what they mean, and hardly a line behind each. It is one class in one
file, longer than others, because callers hold one object, and the reference shows its members where
they stand. What it does is done by others: :mod:`pyhades.llm.opening` loads and starts a model,
:mod:`pyhades.llm.requests` makes requests of what is asked, :mod:`pyhades.llm.engine` runs them.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator, Mapping
from collections.abc import Sequence as Items
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from pyhades.arguments import check_flag, renamed
from pyhades.errors import ArgumentTypeError, ClosedError, ConfigurationError
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.cache.policies import DEFAULT_POLICY, PolicyName
from pyhades.llm.description import in_a_line, in_a_notebook, levels_in_words
from pyhades.llm.engine.engine import Engine
from pyhades.llm.engine.generation import Collector, begun_elsewhere
from pyhades.llm.engine.handle import Handle
from pyhades.llm.engine.request import Prompt, Request, checked_tokens
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.grammar.constraint import Constraint
from pyhades.llm.keywords import ChatKeywords, SamplingKeywords
from pyhades.llm.measure.traffic import bytes_per_token
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.weights import ModelWeights
from pyhades.llm.opening import LoadedModel, Opening, load
from pyhades.llm.options import ModelOptions
from pyhades.llm.precision.loading import LoadedWeights
from pyhades.llm.precision.recipe import Precision
from pyhades.llm.requests.beginnings import Beginnings
from pyhades.llm.requests.chats import AskedChat, ChatPreparer
from pyhades.llm.requests.prepared import PreparedChat, PreparedTexts
from pyhades.llm.requests.terms import ModelTerms
from pyhades.llm.requests.texts import AskedTexts
from pyhades.llm.text.chat import ChatAnswer, ChatDelta, ReasoningEffort
from pyhades.llm.text.level_counts import LevelCounts
from pyhades.llm.text.outputs import CacheInfo, Delta, EngineStats, Generation
from pyhades.llm.text.tokenizer import Tokenizer
from pyhades.options import EngineOptions, refuse_precision


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
        Most answers that are written at the same time, of all callers together.
    kv_format
        ``"bf16"`` or ``"int8"``.
    kv_memory
        Bytes for the keys and values of all answers in progress, and of what is kept of earlier
        ones; at least those of one whole context are taken. By default what all need at most, but
        no more than a quarter of the memory. Answers for which there is no room wait.
    prefix_cache
        Whether to keep what was read: a prompt that begins as an earlier prompt or answer did, such
        as the next turn of a chat, is read from where they part. Answers are the same to the bit.
        What is kept is given up as soon as its room is needed.
    cache_dir
        A folder in which what was read outlives the process, so that nothing is read twice, not
        even after a restart. Its files hold the prompts, for their owner's eyes only. Models and
        processes may share it. See docs/how-to/cache.md.
    cache_bytes
        Room in that folder, for all models together; by default 16 GiB, but at most a quarter of
        what is free there.
    cache_memory
        Bytes for what the blocks of ``kv_memory`` have no room for, compressed; by default 0.
    cache_policy
        What is given up first where there is no room: ``"class"`` what was used longest ago, open
        chains of calls and turns of chats later than other texts; ``"lru"`` what was used longest
        ago; ``"lfu"`` what was used least often; ``"random"``; ``"none"`` what came last.
    speculation
        Whether answers may be written several tokens at a time, where what comes next is likely to
        be known already. They are the same to the bit, seeds included. By default it is done where
        measured times say that it pays; True expects that it does, False never tries.
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

    _reopening: Mapping[str, Any] | None = None

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        threads: int | None = None,
        isa: str | None = None,
        precision: Precision | None = None,
        options: EngineOptions | None = None,
        context_length: int | None = None,
        max_sequences: int = 64,
        kv_format: KvFormat = "bf16",
        kv_memory: int | None = None,
        prefix_cache: bool = True,
        cache_dir: str | PathLike[str] | None = None,
        cache_bytes: int | None = None,
        cache_memory: int = 0,
        cache_policy: PolicyName = DEFAULT_POLICY,
        speculation: bool | None = None,
        error_budget: float | None = None,
        calibration: Items[int] | None = None,
        progress: bool = True,
        path: str | Path | None = None,
    ) -> None:
        model = renamed("path", "model", path, model)
        asked = ModelOptions.of(
            options, threads=threads, isa=isa, precision=precision,
            context_length=context_length, max_sequences=max_sequences, speculation=speculation,
            kv_format=kv_format, kv_memory=kv_memory, prefix_cache=prefix_cache,
            cache_dir=cache_dir, cache_bytes=cache_bytes, cache_memory=cache_memory,
            cache_policy=cache_policy,
        )  # fmt: skip
        loaded = load(
            model, asked, error_budget=error_budget, calibration=calibration, progress=progress
        )
        self._open(Opening(loaded, asked, progress))
        self._reopening = {
            "model": model, **asked.as_keywords(), "error_budget": error_budget,
            "calibration": calibration, "progress": False,
        }  # fmt: skip

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
        max_sequences: int = 64,
        kv_format: KvFormat = "bf16",
        kv_memory: int | None = None,
        prefix_cache: bool = True,
        cache_dir: str | PathLike[str] | None = None,
        cache_bytes: int | None = None,
        cache_memory: int = 0,
        cache_policy: PolicyName = DEFAULT_POLICY,
        speculation: bool | None = None,
        name: str = "weights",
    ) -> LLM:
        """A model whose weights are in memory already, see :mod:`pyhades.llm.measure.synthetic`."""
        asked = ModelOptions.of(
            options, threads=threads, isa=isa,
            context_length=context_length, max_sequences=max_sequences, speculation=speculation,
            kv_format=kv_format, kv_memory=kv_memory, prefix_cache=prefix_cache,
            cache_dir=cache_dir, cache_bytes=cache_bytes, cache_memory=cache_memory,
            cache_policy=cache_policy,
        )  # fmt: skip
        refuse_precision(asked.engine, "what is loaded", weights.precision)
        llm = cls.__new__(cls)
        llm._open(Opening(LoadedModel(name, config, weights, tokenizer), asked, progress=False))
        return llm

    def _open(self, opening: Opening) -> None:
        """Start the engine: both ways to make a model end here."""
        model, asked, weights = opening.model, opening.options, opening.model.weights
        self.name = model.name
        self.config = model.config
        self.options = asked.engine
        self.precision = weights.precision
        self.precision_report = weights.report if isinstance(weights, LoadedWeights) else None
        self.weight_bytes = weights.nbytes
        self.bytes_per_token = bytes_per_token(
            model.config, weights, kv_format=asked.cache.kv_format
        )
        self.threads, self.isa = asked.engine.threads_used, asked.engine.tier
        self.context_length = opening.context_length
        self.max_sequences = asked.max_sequences
        self.speculation = asked.speculation
        self._cache = asked.cache
        self._terms = ModelTerms(
            model.name, model.config, model.tokenizer, self.context_length, self.max_sequences
        )
        self._chats = ChatPreparer(self._terms)
        self._beginnings = Beginnings(self._terms)
        engine, self._levels = opening.opened()
        self._engine: Engine | None = engine

    # Text and tokens.

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the checkpoint; ConfigurationError where it has none."""
        return self._terms.tokenizer

    @property
    def has_tokenizer(self) -> bool:
        """Whether the model takes text, and not token ids only."""
        return self._terms.has_tokenizer

    def tokenize(self, text: str) -> list[int]:
        """Token ids of ``text``, which never become special tokens."""
        return self.tokenizer.encode(text)

    def detokenize(self, tokens: Items[int]) -> str:
        """Text of ``tokens``."""
        return self.tokenizer.decode(tokens)

    # Generation.

    @overload
    def generate(  # type: ignore[overload-overlap]  # a str is a list of str to them
        self,
        prompts: Prompt,
        params: SamplingParams | None = ...,
        *,
        on_delta: Callable[[Delta], object] = ...,
        constraint: Constraint | None = ...,
        prediction: Prompt | None = ...,
        client: str = ...,
        **keywords: Unpack[SamplingKeywords],
    ) -> Generation: ...
    @overload
    def generate(
        self,
        prompts: Items[Prompt],
        params: SamplingParams | None = ...,
        *,
        on_delta: Callable[[Delta], object] = ...,
        constraint: Constraint | None = ...,
        prediction: Prompt | None = ...,
        client: str = ...,
        **keywords: Unpack[SamplingKeywords],
    ) -> list[Generation]: ...
    def generate(
        self,
        prompts: Prompt | Items[Prompt],
        params: SamplingParams | None = None,
        *,
        on_delta: Callable[[Delta], object] = lambda delta: None,
        constraint: Constraint | None = None,
        prediction: Prompt | None = None,
        client: str = "",
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
        constraint
            What the answers have to be, made by :mod:`pyhades.llm.grammar`. One that is cut off,
            by ``max_tokens`` or a stop string, is the beginning of such an answer.
        prediction
            What the answers are likely to repeat, as text or token ids. They are the same without,
            and sooner there with it where speculation pays.
        client
            On whose behalf. Clients get equal shares of the model, however many requests they make,
            and what was read for one is not found by another.

        Returns
        -------
        Generation or list of Generation
            One per prompt; a list for a list.

        Raises
        ------
        ArgumentError
            A prompt is empty, a parameter has no meaning, or the constraint cannot be followed.
        CapacityError
            A prompt is longer than the context.
        CancelledError
            Another thread called :meth:`cancel`.
        """
        if not callable(on_delta):
            raise ArgumentTypeError(f"on_delta={on_delta!r} cannot be called")
        asked = AskedTexts(prompts, params, constraint, prediction, client, keywords)
        prepared = self._prepared(asked)
        collector = Collector(prepared.requests)
        for delta in prepared:
            collector.add(delta)
            on_delta(delta)
        generations = collector.finish()
        return generations if prepared.are_several else generations[0]

    def stream(
        self,
        prompts: Prompt | Items[Prompt],
        params: SamplingParams | None = None,
        *,
        constraint: Constraint | None = None,
        prediction: Prompt | None = None,
        client: str = "",
        **keywords: Unpack[SamplingKeywords],
    ) -> Generator[Delta, None, None]:
        """Like :meth:`generate`, piece by piece. Closing the iterator stops the work.

        The answer is written from now on, while other answers are, too; one that is not read is
        written no further than some hundred tokens ahead.
        """
        asked = AskedTexts(prompts, params, constraint, prediction, client, keywords)
        return iter(self._prepared(asked))

    def astream(
        self,
        prompts: Prompt | Items[Prompt],
        params: SamplingParams | None = None,
        *,
        constraint: Constraint | None = None,
        prediction: Prompt | None = None,
        client: str = "",
        **keywords: Unpack[SamplingKeywords],
    ) -> AsyncGenerator[Delta, None]:
        """Like :meth:`stream`, for ``async for``; with a constraint, written once it is read."""
        asked = AskedTexts(prompts, params, constraint, prediction, client, keywords)

        def begun() -> AsyncGenerator[Delta, None]:
            return aiter(self._prepared(asked))

        return begun() if constraint is None else begun_elsewhere(begun)

    @overload
    async def agenerate(  # type: ignore[overload-overlap]  # a str is a list of str to them
        self,
        prompts: Prompt,
        params: SamplingParams | None = ...,
        *,
        constraint: Constraint | None = ...,
        prediction: Prompt | None = ...,
        client: str = ...,
        **keywords: Unpack[SamplingKeywords],
    ) -> Generation: ...
    @overload
    async def agenerate(
        self,
        prompts: Items[Prompt],
        params: SamplingParams | None = ...,
        *,
        constraint: Constraint | None = ...,
        prediction: Prompt | None = ...,
        client: str = ...,
        **keywords: Unpack[SamplingKeywords],
    ) -> list[Generation]: ...
    async def agenerate(
        self,
        prompts: Prompt | Items[Prompt],
        params: SamplingParams | None = None,
        *,
        constraint: Constraint | None = None,
        prediction: Prompt | None = None,
        client: str = "",
        **keywords: Any,
    ) -> Generation | list[Generation]:
        """Like :meth:`generate`, for ``await``; cancelling the task stops the work."""
        asked = AskedTexts(prompts, params, constraint, prediction, client, keywords)
        may_compile = constraint is not None
        prepared = (
            await asyncio.to_thread(self._prepared, asked) if may_compile else self._prepared(asked)
        )
        collector = Collector(prepared.requests)
        async for delta in prepared:
            collector.add(delta)
        generations = collector.finish()
        return generations if prepared.are_several else generations[0]

    def prepare(
        self,
        prompts: Prompt | Items[Prompt],
        params: SamplingParams | None = None,
        *,
        constraint: Constraint | None = None,
        prediction: Prompt | None = None,
        client: str = "",
        **keywords: Unpack[SamplingKeywords],
    ) -> PreparedTexts:
        """Check and tokenize what :meth:`stream` would, without asking the model yet.

        For those who look at how long a prompt is before they let it in. Iterate over the result to
        have it written. Other threads may call this: with a constraint it may take a second.
        """
        return self._prepared(AskedTexts(prompts, params, constraint, prediction, client, keywords))

    # Chat.

    @overload
    def chat(
        self,
        messages: Items[Mapping[str, Any]],
        params: SamplingParams | None = ...,
        *,
        stream: Literal[False] = ...,
        **keywords: Unpack[ChatKeywords],
    ) -> ChatAnswer: ...
    @overload
    def chat(
        self,
        messages: Items[Mapping[str, Any]],
        params: SamplingParams | None = ...,
        *,
        stream: Literal[True],
        **keywords: Unpack[ChatKeywords],
    ) -> Iterator[ChatDelta]: ...
    @overload
    def chat(
        self,
        messages: Items[Mapping[str, Any]],
        params: SamplingParams | None = ...,
        *,
        stream: bool,
        **keywords: Unpack[ChatKeywords],
    ) -> ChatAnswer | Iterator[ChatDelta]: ...
    def chat(
        self,
        messages: Items[Mapping[str, Any]],
        params: SamplingParams | None = None,
        *,
        tools: Items[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        reasoning_effort: ReasoningEffort = "medium",
        reasoning_budget: int | None = None,
        date: str | datetime.date | None = "today",
        instructions: str | None = None,
        model_identity: str | None = None,
        builtin_tools: Items[str | Mapping[str, Any]] | None = None,
        response_format: Any = None,
        continue_final_message: bool = False,
        prediction: Any = None,
        constraint: Constraint | None = None,
        client: str = "",
        stream: bool = False,
        **keywords: Any,
    ) -> ChatAnswer | Iterator[ChatDelta]:
        """Answer a conversation, in the chat format of the model.

        Parameters
        ----------
        messages
            Dicts with ``role`` and ``content``, as in OpenAI's API.
        params
            How to sample; keywords set fields of it. With ``n=3``, the answer has
            :attr:`ChatAnswer.choices`; with ``logprobs=0`` or more, it has ``logprobs``.
        tools
            Functions that the model may call, as in OpenAI's API. Arguments of those that are
            ``strict`` follow their schema.
        tool_choice
            ``"auto"``; ``"none"`` leaves the tools out of the prompt; ``"required"`` and ``{"type":
            "function", "function": {"name": ...}}`` leave nothing but a call, after reasoning (or,
            where ``llguidance`` is not installed, begin the answer as a call, without reasoning);
            ``{"type": "allowed_tools", ...}`` tells the model of some of the tools only.
        parallel_tool_calls
            Ask for further calls after the first; the models end their turn there by themselves.
        reasoning_effort
            ``"low"``, ``"medium"`` or ``"high"``. ``"none"`` is a low one with a budget of 0 unless
            there is another; ``"minimal"`` is ``"low"``; ``"xhigh"`` and ``"max"`` are ``"high"``.
        reasoning_budget
            Most tokens of reasoning, after which the answer has to begin.
        date
            ``"today"``, a date, or None to leave it out (so that a prompt is the same tomorrow).
        instructions
            Added to those of the messages.
        model_identity
            Who the model is told that it is, in place of the sentence that it was trained with.
        builtin_tools
            Tools that it knows from its training: ``"browser"``, ``"python"``, or namespaces with
            ``name``, ``description`` and ``tools``.
        response_format
            A JSON schema that the answer follows, as in OpenAI's API; where its ``strict`` is
            False, the model is only told of it.
        continue_final_message
            Go on with the last message, which is the assistant's, instead of beginning another; the
            answer is what follows it.
        prediction
            What the answer is likely to repeat, such as a file that is changed a little: text, or
            ``{"type": "content", "content": ...}`` as in OpenAI's API. The answer is the same
            without, and sooner there with it where speculation pays.
        constraint
            What the content has to be, made by :mod:`pyhades.llm.grammar`; the model is not told.
            Reasoning is free. An answer that was cut off (``finish_reason="length"``) is the
            beginning of one that keeps to it.
        client
            On whose behalf, as in :meth:`generate`.
        stream
            Give an iterator of :class:`ChatDelta`, split by channel, instead of the whole answer.

        Returns
        -------
        ChatAnswer or iterator of ChatDelta
            The answer: ``content``, ``reasoning``, ``tool_calls``, ``message`` for the history,
            ``usage``.

        Raises
        ------
        ArgumentError
            A message, tool or parameter means nothing, the chat format cannot say it, or a schema
            cannot be followed.
        CapacityError
            The conversation is longer than the context.
        """
        check_flag("stream", stream)
        prepared = self.prepare_chat(
            messages, params, tools=tools, tool_choice=tool_choice,
            parallel_tool_calls=parallel_tool_calls, reasoning_effort=reasoning_effort,
            reasoning_budget=reasoning_budget, date=date, instructions=instructions,
            model_identity=model_identity, builtin_tools=builtin_tools,
            response_format=response_format, continue_final_message=continue_final_message,
            prediction=prediction, constraint=constraint, client=client, **keywords,
        )  # fmt: skip
        if stream:
            return iter(prepared)
        return self._chats.remember(ChatAnswer.collect(prepared), client)

    async def achat(
        self,
        messages: Items[Mapping[str, Any]],
        params: SamplingParams | None = None,
        **keywords: Unpack[ChatKeywords],
    ) -> ChatAnswer:
        """Like :meth:`chat`, for ``await``; cancelling the task stops the work."""
        answer = ChatAnswer.collect(
            [delta async for delta in self.astream_chat(messages, params, **keywords)]
        )
        return self._chats.remember(answer, keywords.get("client", ""))

    def astream_chat(
        self,
        messages: Items[Mapping[str, Any]],
        params: SamplingParams | None = None,
        **keywords: Unpack[ChatKeywords],
    ) -> AsyncGenerator[ChatDelta, None]:
        """Like :meth:`chat` with ``stream=True``, for ``async for``."""
        asked = AskedChat.of(messages, params, keywords)

        def begun() -> AsyncGenerator[ChatDelta, None]:
            return aiter(self._prepared_chat(asked))

        return begun_elsewhere(begun) if asked.may_compile else begun()

    def prepare_chat(
        self,
        messages: Items[Mapping[str, Any]],
        params: SamplingParams | None = None,
        **keywords: Unpack[ChatKeywords],
    ) -> PreparedChat:
        """Check and tokenize what :meth:`chat` would, without asking the model yet.

        For those who look at how long a conversation is before they let it in. Iterate over the
        result, with ``for`` or ``async for``, to have it answered.

        Examples
        --------
        >>> import pyhades
        >>> with pyhades.LLM() as llm:
        ...     asked = llm.prepare_chat([{"role": "user", "content": "Hi"}], max_tokens=4)
        ...     asked.prompt_tokens > 1, len(list(asked)) > 0
        (True, True)
        """
        return self._prepared_chat(AskedChat.of(messages, params, keywords))

    def share_beginning(
        self,
        messages: Items[Mapping[str, Any]],
        *,
        reasoning_effort: ReasoningEffort | None = None,
        **keywords: Any,
    ) -> int:
        """Let all clients find what was read of a conversation that begins so.

        Otherwise what was read for one client is not found by another, who could tell from the time
        to his first token that somebody has asked the same.

        Parameters
        ----------
        messages
            With which conversations begin: those of the system, mostly.
        reasoning_effort
            As it will be asked for; by default whatever it is.
        keywords
            ``tools`` and others of :meth:`chat` that are told to the model. The date of today is
            that of the day on which somebody asks.

        Returns
        -------
        int
            How many tokens are shared, of the longest of these beginnings.

        Examples
        --------
        >>> import pyhades
        >>> with pyhades.LLM() as llm:
        ...     llm.share_beginning([{"role": "system", "content": "Be brief."}]) > 0
        True
        """
        beginnings = self._beginnings.add(messages, reasoning_effort, keywords)
        self._declare(beginnings)
        return max(map(len, beginnings))

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
        ids = checked_tokens(tokens, "tokens", self.config.vocab_size)
        result = np.empty((len(ids), self.config.vocab_size), np.float32)
        first = 0
        for rows in self.logit_rows(ids):
            result[first : first + len(rows)] = rows
            first += len(rows)
        return result

    def logit_rows(self, tokens: Items[int]) -> Generator[NDArray[np.float32], None, None]:
        """Like :meth:`logits`, some rows at a time. Closing the iterator stops the work."""
        return iter(self.engine.rows(self._terms.rows_request(tokens)))

    # Life.

    @property
    def engine(self) -> Engine:
        """What works for all callers; ClosedError once the model is closed."""
        if self._engine is None:
            raise ClosedError(f"{self.name} is closed; open it again")
        return self._engine

    def reading_speed(self) -> float:
        """Tokens of prompts that are read per second, as measured so far."""
        tokens = min(self.engine.runner.limits.tokens, self.context_length)
        return tokens / max(self.engine.costs.seconds(tokens), 1e-9)

    def cache_info(self) -> CacheInfo:
        """What is kept of what was read, and how much reading it has saved.

        Examples
        --------
        >>> import pyhades
        >>> with pyhades.LLM() as llm:
        ...     text = llm.generate("import numpy as np; " * 20, max_tokens=1)
        ...     text = llm.generate("import numpy as np; " * 20 + "x = ", max_tokens=1)
        ...     llm.cache_info().cached_tokens > 0
        True
        """
        return replace(self.engine.runner.cache.info(), levels=self._level_counts())

    def stats(self) -> EngineStats:
        """What the engine does, and has done so far.

        Examples
        --------
        >>> import pyhades
        >>> with pyhades.LLM() as llm:
        ...     text = llm.generate("def ", max_tokens=4)
        ...     llm.stats().steps > 0
        True
        """
        return replace(self.engine.stats(), levels=self._level_counts())

    def flush_cache(self, seconds: float = 30.0) -> bool:
        """Wait until what was read is where it outlives the process.

        There is no need to call it: it is written by and by, and :meth:`close` waits for it.

        Parameters
        ----------
        seconds
            How long to wait at most.

        Returns
        -------
        bool
            Whether everything is written that was to be when this was called.
        """
        self.engine  # noqa: B018  # ClosedError once the model is closed
        return self._levels is None or self._levels.flush(seconds)

    def cancel(self) -> None:
        """Stop the work of all callers, who get a CancelledError."""
        if self._engine is not None:
            self._engine.cancel()

    def close(self) -> None:
        """Free the weights, the cache and the threads' memory.

        Whoever waits for an answer gets a ClosedError. What was read is written where it outlives
        the process, for as long as half a minute.
        """
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def __reduce__(self) -> tuple[Callable[..., LLM], tuple[Mapping[str, Any]]]:
        """Pickled as path and options: whoever unpickles it opens the model again."""
        if self._reopening is None:
            raise ConfigurationError(
                f"{self.name} was made of weights in memory, and cannot be pickled; "
                "pickle a model that was opened from a path"
            )
        return _reopened, (self._reopening,)

    def __enter__(self) -> LLM:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return in_a_line(self, self._told_levels(), self._engine is not None)

    def _repr_html_(self) -> str:
        return in_a_notebook(self, self._told_levels(), self._engine is not None)

    # Inside.

    def _level_counts(self) -> tuple[LevelCounts, ...]:
        return () if self._levels is None else self._levels.counts()

    def _told_levels(self) -> str:
        return "" if self._engine is None else levels_in_words(self._level_counts(), self._cache)

    def _prepared(self, asked: AskedTexts) -> PreparedTexts:
        return asked.prepared(self._terms, self._stream)

    def _prepared_chat(self, asked: AskedChat) -> PreparedChat:
        self._declare(self._beginnings.outdated())
        return self._chats.prepared(asked, self._stream)

    def _declare(self, beginnings: Iterable[tuple[int, ...]]) -> None:
        """Let all clients find what is read of texts that begin so."""
        for tokens in beginnings:
            self.engine.declare(tokens)

    def _stream(self, requests: Items[Request]) -> Handle[Delta]:
        """What comes of requests."""
        return self.engine.write(requests)


def _reopened(arguments: Mapping[str, Any]) -> LLM:
    return LLM(**arguments)
