"""What a server is while it lives: its model, who was let in, and what is remembered."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pyhades
from pyhades.llm import LLM
from pyhades.server.admission import Admission
from pyhades.server.errors import ApiError
from pyhades.server.protocol.face import Desk
from pyhades.server.runs import Runs
from pyhades.server.sessions import OpenChains, StoredResponses
from pyhades.server.settings import Settings

State = Literal["loading", "ready", "stopping"]


class Service:
    """One model for many clients.

    Parameters
    ----------
    settings
        How it behaves.

    Attributes
    ----------
    state
        ``"loading"`` until :meth:`open`, then ``"ready"`` until :meth:`stop`.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.state: State = "loading"
        self.began = int(time.time())
        self.chains = OpenChains(settings.max_stored, settings.max_stored_bytes)
        self.runs = Runs()
        self.stored = StoredResponses(settings.max_stored, settings.max_stored_bytes)
        self.admission = Admission(settings, lambda: self.llm.reading_speed())
        self.failure: Exception | None = None
        """Why there is no model."""
        self.on_failure: Callable[[], object] = lambda: None
        self._llm: LLM | None = None
        self._names: tuple[str, ...] = tuple(settings.names)
        self._fingerprint = ""

    def open(self, llm: LLM) -> None:
        """The model is there: from now on requests are answered."""
        for beginning in self.settings.shared_beginnings:
            llm.share_beginning(**beginning)
        self._llm = llm
        self._names = self._names or (_name_of(llm),)
        facts = (llm.name, llm.weight_bytes, llm.precision, pyhades.__version__)
        self._fingerprint = f"fp_{hashlib.sha256(repr(facts).encode()).hexdigest()[:12]}"
        self.state = "ready"

    def fail(self, error: Exception) -> None:
        """The model could not be loaded: there is nothing to serve."""
        self.failure = error
        self.stop()
        self.on_failure()

    def stop(self) -> None:
        """Let nobody in any more."""
        self.state = "stopping"

    def give_up(self) -> None:
        """End the answers in work, too; their clients are told."""
        if self._llm is not None:
            self._llm.cancel()

    @property
    def llm(self) -> LLM:
        """The model.

        Raises
        ------
        ApiError
            503: it is not there yet, or not any more.
        """
        if self.state == "stopping":
            raise ApiError(503, "the server is stopping", "stopping", retry_after=10)
        if self._llm is None:
            raise ApiError(503, "the model is being loaded", "loading", retry_after=5)
        return self._llm

    @property
    def model(self) -> LLM | None:
        """The model, also while answers are finished; None while it is loaded."""
        return self._llm

    @property
    def names(self) -> tuple[str, ...]:
        """Under which the model answers."""
        return self._names

    @property
    def fingerprint(self) -> str:
        """Of weights and version."""
        return self._fingerprint

    def check_model(self, name: str | None) -> str:
        """The name under which a request is answered; without one, the first.

        Raises
        ------
        ApiError
            404: there is no such model here. 503: there is none yet.
        """
        self.llm  # noqa: B018  # without it there may be no names
        if not name:
            return self._names[0]
        if name.removesuffix(":latest") in self._names:  # as ollama spells it
            name = name.removesuffix(":latest")
        if name not in self._names:
            listed = ", ".join(map(repr, self._names))
            raise ApiError(
                404, f"there is no model {name!r} here; there is {listed}", "model_not_found",
                "model",
            )  # fmt: skip
        return name

    def desk(self, model: str | None, client: str) -> Desk:
        """What a protocol knows, for one request."""
        llm = self.llm
        return Desk(
            model=self.check_model(model), client=client, settings=self.settings,
            tokenizer=llm.tokenizer if llm.has_tokenizer else None, chains=self.chains,
            stored=self.stored, fingerprint=self._fingerprint,
        )  # fmt: skip


def _name_of(llm: LLM) -> str:
    """Of a file or folder, without what tells its format."""
    name = Path(llm.name).name or llm.name
    return name.removesuffix(".gguf").removesuffix(".pyhades").removesuffix(".safetensors")
