# Instruction-set tiers and the registry of kernels.

import os
from typing import NamedTuple

from libc.stdint cimport int64_t, uint32_t

from pyhades._hades cimport Family, KernelEntry, detect_isa, emulated_isa, families, kTiers
from pyhades._hades cimport kMapFunctionCount, kMapFunctions

from pyhades.errors import ArgumentError, CancelledError, ClosedError, ConfigurationError


class Implementation(NamedTuple):
    """One registered kernel."""

    family: str
    function: str
    name: str
    is_supported: bool


def tiers():
    """Names of all tiers that kernels may be compiled for, weakest first."""
    return [tier.name.decode() for tier in kTiers]


cdef uint32_t features_of_tier(str name, str origin) except? 0xffffffff:
    """Features of a tier by name; raises where the name is bad or the CPU lacks it."""
    for tier in kTiers:
        if tier.name.decode() == name:
            if tier.features & ~detect_isa():
                raise ConfigurationError(
                    f"{origin}{name!r}: this CPU does not have it; it has {', '.join(_detected())}"
                )
            return tier.features
    raise ConfigurationError(f"{origin}{name!r} is none of {', '.join(tiers())}")


cdef uint32_t usable_features() except? 0xffffffff:
    """Features of this CPU that the environment variable PYHADES_ISA, a cap, leaves."""
    cap = os.environ.get("PYHADES_ISA")
    return features_of_tier(cap, "PYHADES_ISA=") if cap else detect_isa()


cdef uint32_t features_of(isa) except? 0xffffffff:
    """Features that ``isa`` (a name, or None for the best) allows a kernel to use.

    Emulated ones are used where the argument or PYHADES_ISA names their tier, never by default.
    """
    cdef uint32_t usable = usable_features()
    if isa is None:
        return usable if os.environ.get("PYHADES_ISA") else usable & ~emulated_isa()
    if not isinstance(isa, str):
        raise ConfigurationError(f"isa={isa!r} must be a name, one of {', '.join(tiers())}")
    cdef uint32_t features = features_of_tier(isa, "isa=")
    if features & ~usable:
        raise ConfigurationError(f"isa={isa!r} is above the cap PYHADES_ISA={os.environ['PYHADES_ISA']}")
    return features


def _detected():
    return [tier.name.decode() for tier in kTiers if (tier.features & ~detect_isa()) == 0]


def supported_tiers():
    """Names of the tiers that may be used here, weakest first: the CPU's, up to PYHADES_ISA."""
    cdef uint32_t usable = usable_features()
    return [tier.name.decode() for tier in kTiers if (tier.features & ~usable) == 0]


def emulated_tiers():
    """Those of the supported tiers that a build for tests emulates, see PYHADES_EMULATE."""
    cdef uint32_t usable = usable_features()
    return [
        tier.name.decode() for tier in kTiers
        if (tier.features & ~usable) == 0 and tier.features & emulated_isa()
    ]


def tier_name(isa=None):
    """The tier that ``isa`` (or None for the default) stands for."""
    cdef uint32_t features = features_of(isa)
    return isa or [t.name.decode() for t in kTiers if (t.features & ~features) == 0][-1]


def implementations():
    """All registered kernels, per family and function the best first."""
    cdef uint32_t usable = usable_features()
    cdef size_t which
    cdef Family family
    cdef KernelEntry kernel
    found = []
    for which in range(families().size()):
        family = families()[which]
        for i in range(family.kernel_count):
            kernel = family.kernels[i]
            found.append(Implementation(
                family.name.decode(), kernel.function.decode(), kernel.name.decode(),
                (kernel.required & ~usable) == 0,
            ))
    return found


def map_functions():
    """Functions of pointwise programs: name -> (number, arity)."""
    return {
        kMapFunctions[i].name.decode(): (kMapFunctions[i].number, kMapFunctions[i].arity)
        for i in range(kMapFunctionCount)
    }


def selected(str function, isa=None):
    """Name of the first kernel of ``function`` that the tier ``isa`` allows."""
    cdef uint32_t allowed = features_of(isa)
    cdef size_t which
    cdef Family family
    for which in range(families().size()):
        family = families()[which]
        for i in range(family.kernel_count):
            if family.kernels[i].function.decode() == function:
                if (family.kernels[i].required & ~allowed) == 0:
                    return family.kernels[i].name.decode()
    raise ArgumentError(f"no kernel function {function!r} for this tier")
