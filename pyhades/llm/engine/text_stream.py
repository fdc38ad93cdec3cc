"""From the tokens of an answer to its text."""

from __future__ import annotations

from pyhades.llm.engine.answer import Answer, Event
from pyhades.llm.text.outputs import Delta, FinishReason, TokenLogprob
from pyhades.llm.text.stopping import StopStrings
from pyhades.llm.text.tokenizer import StreamDecoder, Tokenizer


class TextStream:
    """The text of one answer: decodes tokens, holds back what may become a stop string."""

    def __init__(self, answer: Answer, tokenizer: Tokenizer | None) -> None:
        self.answer = answer
        self._decoder = None if tokenizer is None else StreamDecoder(tokenizer)
        self._stops = StopStrings(answer.request.params.stop)

    def push(self, event: Event) -> Delta:
        """What can be shown after one more token; ends the answer where a stop string appears."""
        assert event.token is not None
        reason = self.answer.finish_reason
        is_stop_token = reason == "stop"
        text = ""
        if self._decoder is not None:
            decoded = "" if is_stop_token else self._decoder.push(event.token)
            if reason is not None:
                decoded += self._decoder.flush()
            text, stopped = self._stops.push(decoded)
            if stopped:
                reason = self.answer.finish_reason = "stop"
            elif reason is not None:
                text += self._stops.flush()
        return self._delta(event, event.token, text, reason)

    def _delta(self, event: Event, token: int, text: str, reason: FinishReason | None) -> Delta:
        logprobs: tuple[TokenLogprob, ...] = () if event.logprob is None else (event.logprob,)
        answer = self.answer
        number, cached = answer.request.number, answer.cached_tokens
        return Delta(
            number, answer.index, text, (token,), reason, logprobs, cached,
            event.accepted, event.rejected,
        )  # fmt: skip
