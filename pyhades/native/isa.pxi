# Instruction-set tiers and the registry of kernels.

import os
from typing import NamedTuple

from libc.stdint cimport int64_t, uint32_t

from pyhades._hades cimport Family, KernelEntry, detect_isa, emulated_isa, families
from pyhades._hades cimport ElementFunction, kBoolean, kElementFunctions, kFloating, kInteger
from pyhades._hades cimport has_kernels, kTierCount, kTiers

from pyhades.errors import ArgumentError, CancelledError, ClosedError, ConfigurationError


class Implementation(NamedTuple):
    """One registered kernel."""

    family: str
    function: str
    name: str
    is_supported: bool


def tiers():
    """Names of all tiers that kernels may be compiled for, weakest first."""
    return list(tier_features())


def tier_features():
    """Every tier with the mask of CPU features that it needs, weakest first."""
    return {kTiers[i].name.decode(): kTiers[i].features for i in range(kTierCount)}


def tiers_with_kernels(uint32_t features):
    """Names of the tiers that a CPU of these features runs kernels of, weakest first."""
    return [
        kTiers[i].name.decode()
        for i in range(kTierCount)
        if (kTiers[i].features & ~features) == 0 and has_kernels(kTiers[i])
    ]


cdef uint32_t features_of_tier(str name, str origin) except? 0xffffffff:
    """Features of a tier by name; raises where the name is bad or the CPU lacks it."""
    cdef uint32_t here = detect_isa()
    for tier, features in tier_features().items():
        if tier == name:
            if features & ~here:
                has = ", ".join(tiers_with_kernels(here))
                raise ConfigurationError(
                    f"{origin}{name!r}: this CPU does not have it; it has {has}"
                )
            return features
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


def supported_tiers():
    """Names of the tiers that are used here, weakest first: the CPU's, up to PYHADES_ISA.

    A tier that no kernel of this build was written for is not among them.
    """
    return tiers_with_kernels(usable_features())


def emulated_tiers():
    """Those of the supported tiers that a build for tests emulates, see PYHADES_EMULATE."""
    cdef uint32_t emulated = emulated_isa()
    return [tier for tier in supported_tiers() if tier_features()[tier] & emulated]


def tier_name(isa=None):
    """The best tier whose kernels run under ``isa`` (None: the default)."""
    return tiers_with_kernels(features_of(isa))[-1]


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


class FunctionInfo(NamedTuple):
    """A row of csrc/base/functions.inc; ``dtypes`` holds "F", "Z" and "bool" as they apply."""

    operands: int
    number: int
    in_programs: bool
    dtypes: frozenset
    is_predicate: bool
    is_activation: bool


def element_functions():
    """The native table of element functions, by name."""
    cdef const ElementFunction* row = kElementFunctions
    kinds = (("F", kFloating), ("Z", kInteger), ("bool", kBoolean))
    found = {}
    while row.name:
        found[row.name.decode()] = FunctionInfo(
            row.operands,
            row.number,
            row.in_programs,
            frozenset(kind for kind, flag in kinds if <int>row.dtypes & <int>flag),
            row.is_predicate,
            row.is_activation,
        )
        row += 1
    return found


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
