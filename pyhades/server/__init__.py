"""A server that clients of OpenAI's API, and of a few others, talk to as they are.

It is a face of :class:`pyhades.LLM`: protocols are translated to turns of a chat and back, and
limits are kept. Needs the extra ``server``: ``pip install "pyhades[llm,server]"``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyhades.errors import ConfigurationError
from pyhades.server.settings import Settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from pyhades.llm import LLM

__all__ = ["Settings", "application", "serve"]


def application(llm: LLM, settings: Settings | None = None) -> Starlette:
    """An ASGI application that answers for a model.

    Parameters
    ----------
    llm
        The model. Whoever made it closes it.
    settings
        Limits, keys and names; by default those of :class:`Settings`.

    Returns
    -------
    starlette.applications.Starlette
        For any ASGI server, or to be mounted in an application of your own.

    Raises
    ------
    ConfigurationError
        The extra ``server`` is not installed.

    Examples
    --------
    >>> import pyhades
    >>> from pyhades.server import application
    >>> with pyhades.LLM() as llm:
    ...     len(application(llm).routes) > 5
    True
    """
    with _with_libraries():
        from pyhades.server.app import build
        from pyhades.server.service import Service
    service = Service(settings or Settings())
    service.open(llm)
    return build(service)


def serve(model: Any = None, settings: Settings | None = None, **keywords: Any) -> None:
    """Serve a model until the process is told to stop; see :func:`pyhades.server.serving.run`."""
    with _with_libraries():
        from pyhades.server.serving import run
    run(model, settings or Settings(), **keywords)


class _with_libraries:  # reads as a statement
    """Says what to install where a library of the extra is missing."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        libraries = ("starlette", "uvicorn", "msgspec", "prometheus_client")
        if isinstance(error, ModuleNotFoundError) and error.name in libraries:
            raise ConfigurationError(
                f'the server needs {error.name}: pip install "pyhades[llm,server]"'
            ) from error
