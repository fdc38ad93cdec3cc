"""How an engine runs: the options that both pipelines and the command line share."""

from __future__ import annotations

from dataclasses import dataclass

from pyhades import _native
from pyhades.config import thread_count
from pyhades.errors import ArgumentError, ArgumentTypeError


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """Options of :func:`pyhades.compile`, :class:`pyhades.Remover` and :class:`pyhades.LLM` alike.

    Each of them takes the fields as keywords, too; a keyword that is given wins over the field.

    Parameters
    ----------
    threads
        Number of threads; None for what :func:`pyhades.show_config` says.
    isa
        Tier of the kernels, e.g. ``"avx2"``; None for the best of this CPU.
    precision
        Of the weights and of the arithmetic; None for the default of the engine. Each engine
        checks its own names: ``"fp32"`` and ``"int8"`` for networks, with ``"auto"`` for those of a
        remover; ``"exact"``, ``"balanced"``, ``"fast"`` and ``"auto"`` for language models.

    Raises
    ------
    ArgumentError
        ``threads`` is no positive integer.
    ArgumentTypeError
        ``precision`` is no name.
    ConfigurationError
        The tier does not exist, or the CPU lacks it.

    Examples
    --------
    >>> options = EngineOptions(threads=2, isa="scalar")
    >>> options.threads_used, options.tier
    (2, 'scalar')
    >>> options.changed(threads=1, isa=None)
    EngineOptions(threads=1, isa='scalar', precision=None)
    """

    threads: int | None = None
    isa: str | None = None
    precision: str | None = None

    def __post_init__(self) -> None:
        if self.threads is not None:
            thread_count(self.threads)
        _native.tier_name(self.isa)
        if not isinstance(self.precision, str | None):
            raise ArgumentTypeError(
                f"precision={self.precision!r} is no name; give one, or None for the default"
            )

    @property
    def threads_used(self) -> int:
        """Number of threads that ``threads`` stands for here."""
        return thread_count(self.threads).count

    @property
    def tier(self) -> str:
        """Tier that ``isa`` stands for here."""
        return _native.tier_name(self.isa)

    def changed(
        self,
        *,
        threads: int | None = None,
        isa: str | None = None,
        precision: str | None = None,
    ) -> EngineOptions:
        """The same, with what is not None set anew."""
        return EngineOptions(
            threads=self.threads if threads is None else threads,
            isa=self.isa if isa is None else isa,
            precision=self.precision if precision is None else precision,
        )


def engine_options(
    options: EngineOptions | None,
    *,
    threads: int | None = None,
    isa: str | None = None,
    precision: str | None = None,
) -> EngineOptions:
    """What an engine was asked for: its keywords, else the fields of ``options``.

    Raises
    ------
    ArgumentTypeError
        ``options`` is something else.

    Examples
    --------
    >>> engine_options(EngineOptions(threads=4, precision="fast"), threads=1)
    EngineOptions(threads=1, isa=None, precision='fast')
    """
    given = EngineOptions() if options is None else options
    if not isinstance(given, EngineOptions):
        raise ArgumentTypeError(
            f"options={options!r} is no EngineOptions; give pyhades.EngineOptions(threads=2), say"
        )
    return given.changed(threads=threads, isa=isa, precision=precision)


def refuse_precision(options: EngineOptions, made: str, precision: str | None = None) -> None:
    """Raise where options ask for a precision of what is made already, and has another.

    Raises
    ------
    ArgumentError
        ``options.precision`` is neither None nor ``precision``.
    """
    if options.precision not in (None, precision):
        has = "" if precision is None else f", {precision!r}"
        raise ArgumentError(
            f"precision={options.precision!r}: {made} has its precision already{has}; leave it out"
        )
