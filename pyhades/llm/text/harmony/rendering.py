"""From a conversation to the tokens of a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyhades.llm.text.chat import NAMESPACE, Message
from pyhades.llm.text.chat_options import ChatOptions
from pyhades.llm.text.chat_prompt import ChatPrompt, Guide, common_beginning
from pyhades.llm.text.harmony.conversation import Said, Verbatim, conversation
from pyhades.llm.text.harmony.guide import HarmonyGuide
from pyhades.llm.text.harmony.markers import Markers
from pyhades.llm.text.harmony.parser import HarmonyParser
from pyhades.llm.text.tokenizer import Tokenizer


def render_chat(
    messages: Sequence[Mapping[str, Any]], tokenizer: Tokenizer, **options: Any
) -> list[int]:
    """Tokens of a conversation, after which the model writes its answer.

    Special tokens stand between messages and their parts only; no text becomes one. The reasoning
    of an answer is left out once the answer is there, and kept while its calls of tools go on.

    Parameters
    ----------
    messages
        Dicts as in OpenAI's API: ``role`` (``system`` and ``developer`` are instructions,
        ``user``, ``assistant``, ``tool``), ``content`` (text, or parts with text), ``tool_calls``,
        ``tool_call_id``, ``name``, and ``reasoning`` of an assistant.
    tokenizer
        That of the model.
    options
        The keywords of :meth:`pyhades.LLM.chat` that are not about sampling. A prompt with the date
        of today has another beginning tomorrow, and what is cached of it is lost.

    Returns
    -------
    list of int
        Ends with ``<|start|>assistant``, or with the beginning of the answer where one is given.

    Raises
    ------
    ArgumentError
        A message, tool, effort or date cannot be interpreted.
    ModelError
        The tokenizer lacks the special tokens of harmony.
    """
    return list(harmony_prompt(messages, tokenizer, ChatOptions(**options)).tokens)


def harmony_prompt(
    messages: Sequence[Mapping[str, Any]], tokenizer: Tokenizer, options: ChatOptions
) -> ChatPrompt:
    """As :func:`render_chat`, with what reads the answer."""
    instructions, said = conversation(messages, options)
    markers = Markers.of(tokenizer)
    unended = said.pop() if options.continue_final_message else None
    assert not isinstance(unended, Verbatim)
    tokens: list[int] = []
    begins: list[int] = []
    for message in (*instructions, *said):
        begins.append(len(tokens))
        tokens += _rendered(message, tokenizer, markers)
    asked = [begin for begin, message in zip(begins[len(instructions) :], said, strict=True)
             if isinstance(message, Message) and message.role.startswith("user")]  # fmt: skip
    told = [*begins, len(tokens)][len(instructions)]
    tokens += [markers.start, *tokenizer.encode("assistant")]
    begun = _begun(unended, tokenizer, markers, options)

    def parser() -> HarmonyParser:
        return HarmonyParser(tokenizer, options.functions)

    def guide() -> Guide:
        return HarmonyGuide(tokenizer, options, begun)

    return ChatPrompt(
        (*tokens, *begun), begun, parser, guide if HarmonyGuide.is_needed(options) else None,
        frozenset({markers.call} if options.parallel_tool_calls else ()),
        ends=frozenset({markers.call, markers.return_}),
        points=tuple(sorted({told, *asked[-1:], len(tokens)})), opens=frozenset({markers.call}),
        headers=_headers(tokenizer, markers, options),
    )  # fmt: skip


def _rendered(said: Said, tokenizer: Tokenizer, markers: Markers) -> list[int]:
    """Tokens of a message, or of a turn as it was written."""
    if isinstance(said, Message):
        return render_message(said, tokenizer, markers)
    *tokens, last = said.tokens
    if last == markers.call:
        tokens.append(last)
    elif not tokens or tokens[-1] not in (markers.call, markers.end):
        tokens.append(markers.end)  # what ended an answer is the end of a message in a history
    return [markers.start, *tokenizer.encode("assistant"), *tokens]


def render_message(message: Message, tokenizer: Tokenizer, markers: Markers) -> list[int]:
    """Tokens of one whole message.

    The recipient of a call stands after the channel, where the models write it themselves.
    """
    is_call = message.role == "assistant" and message.recipient is not None
    recipient = f" to={message.recipient}" if message.recipient else ""
    role = message.role + ("" if message.role == "assistant" else recipient)
    tokens = [markers.start, *tokenizer.encode(role), *_body(message, tokenizer, markers)]
    return [*tokens, markers.call if is_call else markers.end]


def _body(message: Message, tokenizer: Tokenizer, markers: Markers) -> list[int]:
    """What follows the role, without the token that ends the message."""
    tokens: list[int] = []
    if message.channel:
        of_call = message.role == "assistant" and message.recipient
        recipient = f" to={message.recipient}" if of_call else ""
        tokens += [markers.channel, *tokenizer.encode(message.channel + recipient)]
    if message.content_type:
        tokens += tokenizer.encode(" ")
        tokens += [markers.constrain, *tokenizer.encode(message.content_type)]
    return [*tokens, markers.message, *tokenizer.encode(message.content)]


def _headers(
    tokenizer: Tokenizer, markers: Markers, options: ChatOptions
) -> tuple[tuple[int, ...], ...]:
    """What models write between messages: an answer after a thought, a call, a thought at first."""
    next_message = (markers.end, markers.start, *tokenizer.encode("assistant"))
    calls = [_body(call, tokenizer, markers) for call in _calls(options)]
    final, thought = (
        _body(Message("assistant", "", channel), tokenizer, markers)
        for channel in ("final", "analysis")
    )
    after = [(*next_message, *body) for body in (final, *calls)]
    return (*after, tuple(thought), *map(tuple, calls))


def _calls(options: ChatOptions) -> list[Message]:
    """A call of each of the functions, without arguments."""
    return [
        Message("assistant", "", "commentary", f"{NAMESPACE}.{name}", "json")
        for name in options.offer.names
    ]


def _begun(
    unended: Message | None, tokenizer: Tokenizer, markers: Markers, options: ChatOptions
) -> tuple[int, ...]:
    """The tokens with which the answer begins."""
    if unended is not None:
        return tuple(_body(unended, tokenizer, markers))
    if options.offer.is_required and not options.is_constrained:
        return common_beginning([_body(call, tokenizer, markers) for call in _calls(options)])
    if options.reasoning_budget == 0 and not options.offer.functions:
        return tuple(_body(Message("assistant", "", "final"), tokenizer, markers))
    return ()
