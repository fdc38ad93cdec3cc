"""Which kernels exist, and which one would run."""

from __future__ import annotations

from pyhades import _native
from pyhades._native import Implementation, supported_tiers, tiers
from pyhades.arguments import one_of

__all__ = ["Implementation", "implementations", "selected", "supported_tiers", "tiers"]


def implementations(family: str | None = None) -> list[Implementation]:
    """All registered kernels of a family (``"conv"``, ``"gemm"``, ...), or of all of them.

    Parameters
    ----------
    family
        A folder of ``csrc/kernels``; None: every one.

    Returns
    -------
    list of Implementation
        Named tuples ``(family, function, name, is_supported)``, per function the best first.

    Raises
    ------
    ArgumentError
        If there is no such family.

    Examples
    --------
    >>> implementations("softmax")[-1].name
    'softmax_f32_scalar'
    """
    found = _native.implementations()
    if family is None:
        return found
    families = sorted({kernel.family for kernel in found})
    one_of("family", family, families)
    return [kernel for kernel in found if kernel.family == family]


def selected(function: str, *, isa: str | None = None) -> str:
    """Name of the kernel that ``function`` runs as, on this CPU or on tier ``isa``.

    Parameters
    ----------
    function
        A kernel function, see :func:`implementations`.
    isa
        The best tier it may use; None: what the CPU has, up to ``PYHADES_ISA``.

    Returns
    -------
    str
        A name that :func:`implementations` lists.

    Raises
    ------
    ArgumentError
        If no kernel function has that name.
    ConfigurationError
        If the tier does not exist or the CPU lacks it.

    Examples
    --------
    >>> selected("softmax_f32", isa="scalar")
    'softmax_f32_scalar'
    """
    known = dict.fromkeys(kernel.function for kernel in _native.implementations())
    one_of("function", function, sorted(known))
    return _native.selected(function, isa)
