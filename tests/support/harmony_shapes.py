"""Shapes of turns that models of harmony were seen to write, good and bad, by what they are."""

from __future__ import annotations

from dataclasses import dataclass

START = "<|start|>assistant"
THOUGHT = f"<|channel|>analysis<|message|>Hm.<|end|>{START}"
FINAL = "<|channel|>final<|message|>"
PREAMBLE = f"<|channel|>commentary<|message|>Let me look.<|end|>{START}"
CALL = "<|channel|>commentary to=functions.weather <|constrain|>json<|message|>"
ARGUMENTS = '{"city": "Paris"}'


@dataclass(frozen=True)
class Shape:
    """What a model writes, and what a client is told of it.

    Attributes
    ----------
    written
        With special tokens written out.
    reason
        Why it ended, as the engine says it.
    """

    written: str
    content: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    finish_reason: str = "stop"
    reason: str = "stop"


def _called(
    written: str, name: str = "weather", arguments: str = ARGUMENTS, **others: str
) -> Shape:
    return Shape(written, calls=((name, arguments),), finish_reason="tool_calls", **others)


def _cut(written: str, **told) -> Shape:
    return Shape(written, **told, finish_reason="length", reason="length")


SHAPES = {
    "reasoning and an answer": Shape(f"{THOUGHT}{FINAL}Yes.<|return|>", "Yes.", "Hm."),
    "an answer alone": Shape(f"{FINAL}Yes.<|return|>", "Yes."),
    "reasoning twice": Shape(f"{THOUGHT}{THOUGHT}{FINAL}Yes.<|return|>", "Yes.", "Hm.\n\nHm."),
    "an empty answer": Shape(f"{THOUGHT}{FINAL}<|return|>", "", "Hm."),
    "nothing at all": Shape("<|return|>"),
    "reasoning only": Shape("<|channel|>analysis<|message|>Hm.<|return|>", "", "Hm."),
    "reasoning after an answer": Shape(
        f"{FINAL}Yes.<|end|>{START}<|channel|>analysis<|message|>Hm.<|return|>", "Yes.", "Hm."),
    "very long reasoning": Shape(
        f"<|channel|>analysis<|message|>{'Hm. ' * 500}<|end|>{START}{FINAL}Yes.<|return|>",
        "Yes.", "Hm. " * 500),
    "characters of several tokens": Shape(
        f"{THOUGHT}{FINAL}🌦️👩‍👩‍👧 日本 ☀️<|return|>", "🌦️👩‍👩‍👧 日本 ☀️", "Hm."),
    "a preamble and a call": Shape(
        f"{THOUGHT}{PREAMBLE}{CALL}{ARGUMENTS}<|call|>", "Let me look.", "Hm.",
        (("weather", ARGUMENTS),), "tool_calls"),
    "two preambles and an answer": Shape(
        f"{PREAMBLE}{PREAMBLE}{FINAL}Yes.<|return|>", "Let me look.\n\nLet me look.\n\nYes."),

    "a call": _called(f"{CALL}{ARGUMENTS}<|call|>"),
    "a call on the channel of thoughts": _called(
        f"{THOUGHT}<|channel|>analysis to=functions.weather <|constrain|>json<|message|>"
        f"{ARGUMENTS}<|call|>", reasoning="Hm."),
    "a call on the channel of answers": _called(
        f"<|channel|>final to=functions.weather<|message|>{ARGUMENTS}<|call|>"),
    "a call without a constraint": _called(
        f"<|channel|>commentary to=functions.weather<|message|>{ARGUMENTS}<|call|>"),
    "a call with a bare constraint": _called(
        f"<|channel|>commentary to=functions.weather json<|message|>{ARGUMENTS}<|call|>"),
    "a recipient beside the role": _called(
        f" to=functions.weather<|channel|>commentary<|message|>{ARGUMENTS}<|call|>"),
    "a recipient beside a role that is told": _called(
        f"<|end|>{START} to=functions.weather<|channel|>commentary json<|message|>"
        f"{ARGUMENTS}<|call|>"),
    "a recipient without its namespace": _called(
        f"<|channel|>commentary to=weather<|message|>{ARGUMENTS}<|call|>"),
    "a call that ends like an answer": _called(f"{CALL}{ARGUMENTS}<|return|>"),
    "a function that nobody declared": _called(
        f"<|channel|>commentary to=functions.shell<|message|>{ARGUMENTS}<|call|>", "shell"),
    "python": _called("<|channel|>analysis to=python code<|message|>1 + 1<|call|>", "python",
                      "1 + 1"),
    "the browser": _called(
        f"<|channel|>analysis to=browser.search<|message|>{ARGUMENTS}<|call|>", "browser.search"),
    "two calls": Shape(
        f"{CALL}{ARGUMENTS}<|call|>{START}{CALL}{{}}<|call|>",
        calls=(("weather", ARGUMENTS), ("weather", "{}")), finish_reason="tool_calls"),
    "two calls with thoughts between them": Shape(
        f"{THOUGHT}{CALL}{ARGUMENTS}<|call|>{START}{THOUGHT}{CALL}{{}}<|call|>", "", "Hm.\n\nHm.",
        (("weather", ARGUMENTS), ("weather", "{}")), "tool_calls"),
    "a call, and an answer all the same": Shape(
        f"{CALL}{ARGUMENTS}<|end|>{START}{FINAL}Yes.<|return|>", "Yes.",
        calls=(("weather", ARGUMENTS),)),

    "arguments that are no JSON": _called(f"{CALL}Paris!<|call|>", arguments="Paris!"),
    "arguments that are code": _called(
        f"{CALL}import os\nprint(os)<|call|>", arguments="import os\nprint(os)"),
    "arguments that are not closed": _called(
        f'{CALL}{{"city": "Pa<|call|>', arguments='{"city": "Pa'),
    "arguments with text behind them": _called(
        f"{CALL}{ARGUMENTS} please<|call|>", arguments=f"{ARGUMENTS} please"),
    "no arguments": _called(f"{CALL}<|call|>", arguments="{}"),
    "a call that is a header": _called(
        "<|channel|>commentary to=functions.weather<|call|>", arguments="{}"),
    "a call without its marker": _called(
        f"<|channel|>commentary to=functions.weather <|constrain|>json{ARGUMENTS}<|call|>"),

    "text before any marker": Shape(f"So: {FINAL}Yes.<|return|>", "So: \n\nYes."),
    "no marker at all": Shape("Yes, it is.<|return|>", "Yes, it is."),
    "no header": Shape("<|message|>Yes.<|return|>", "Yes."),
    "no end of a header": Shape("<|channel|>final Yes.<|return|>", "Yes."),
    "a channel twice": Shape(
        "<|channel|>analysis<|channel|>final<|message|>Yes.<|return|>", "Yes."),
    "a header inside a message": Shape(
        "<|channel|>analysis<|message|>Hm.<|channel|>final<|message|>Yes.<|return|>", "Yes.",
        "Hm."),
    "a header twice": Shape(
        "<|channel|>final<|message|><|channel|>final<|message|>Yes.<|return|>", "Yes."),
    "a channel that nobody knows": Shape(
        "<|channel|>summary<|message|>Yes.<|return|>", "Yes."),
    "a channel that is text": Shape("<|channel|>Yes, it is.<|return|>", "Yes, it is."),
    "role and channel in one": Shape(
        "<|end|><|start|>assistantfinal<|message|>Yes.<|return|>", "Yes."),
    "a start twice": Shape(f"{START}{START}{FINAL}Yes.<|return|>", "Yes."),
    "a start alone": Shape("<|start|><|return|>"),
    "messages that do not end": Shape(
        f"<|channel|>analysis<|message|>Hm.{START}{FINAL}Yes.<|return|>", "Yes.", "Hm."),
    "a tool that answers itself": Shape(
        f"{CALL}{ARGUMENTS}<|call|><|start|>functions.weather to=assistant<|channel|>commentary"
        f"<|message|>21<|end|>{START}{FINAL}Yes.<|return|>", "Yes.",
        calls=(("weather", ARGUMENTS),)),
    "a user who is made up": Shape(
        f"{FINAL}Yes.<|end|><|start|>user<|message|>Sure?<|end|>{START}{FINAL}Sure.<|return|>",
        "Yes.\n\nSure."),
    "reserved tokens": Shape(f"<|reserved_1|>{FINAL}Y<|reserved_1|>es.<|return|>", "Yes."),

    "cut off in the first header": _cut("<|channel|>"),
    "cut off in a header": _cut(f"{THOUGHT}<|channel|>final", reasoning="Hm."),
    "cut off in the header of a call": _cut(
        f"{THOUGHT}<|channel|>commentary to=functions.weather <|constrain|>",
        reasoning="Hm.", calls=(("weather", ""),)),
    "cut off in a thought": _cut("<|channel|>analysis<|message|>Hm", reasoning="Hm"),
    "cut off in an answer": _cut(f"{THOUGHT}{FINAL}Ye", content="Ye", reasoning="Hm."),
    "cut off in arguments": _cut(f'{CALL}{{"city": "Pa', calls=(("weather", '{"city": "Pa'),)),
    "cut off before arguments": _cut(CALL, calls=(("weather", ""),)),
    "cut off between messages": _cut(
        f"<|channel|>analysis<|message|>Hm.<|end|>{START}", reasoning="Hm."),
}  # fmt: skip
