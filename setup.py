"""Everything static is in pyproject.toml; this file only knows how to compile csrc/."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import OptionError

ROOT = Path(__file__).parent
X86 = platform.machine().lower() in ("x86_64", "amd64")
SANITIZE = os.environ.get("PYHADES_SANITIZE", "")  # "address,undefined" or "thread"
DEBUG = os.environ.get("PYHADES_DEBUG") == "1"
WERROR = os.environ.get("PYHADES_WERROR") == "1"
EMULATE = os.environ.get("PYHADES_EMULATE", "")  # "avx512": a build for tests, see emulated_tiers
ABI3 = not sysconfig.get_config_var("Py_GIL_DISABLED")

# The tier of a translation unit is the suffix of its file name; one without a suffix is baseline.
AVX2 = ["-mavx2", "-mfma", "-mf16c", "-mbmi", "-mbmi2"]
AVX512 = [*AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512cd"]
AVX512 += ["-mprefer-vector-width=512"]
VNNI = [*AVX512, "-mavx512vnni"]
ISA_FLAGS = {
    "scalar": [],
    "avx2": AVX2,
    "avx512": AVX512,
    "avx512_vnni": VNNI,
    "avx512_vbmi": [*VNNI, "-mavx512vbmi"],
    "avx512_bf16": [*VNNI, "-mavx512bf16"],
}
# Which code of csrc/simd a tier is compiled from.
ISA_MACROS = {
    "scalar": [],
    "avx2": ["-DHADES_TIER_AVX2"],
    "avx512": ["-DHADES_TIER_AVX512"],
    "avx512_vnni": ["-DHADES_TIER_AVX512", "-DHADES_TIER_VNNI"],
    "avx512_vbmi": ["-DHADES_TIER_AVX512", "-DHADES_TIER_VNNI"],
    "avx512_bf16": ["-DHADES_TIER_AVX512", "-DHADES_TIER_VNNI", "-DHADES_TIER_BF16"],
}

CXXFLAGS = ["-std=c++17", "-O3", "-g1", "-fvisibility=hidden", "-ffp-contract=off"]
CXXFLAGS += ["-fno-math-errno", "-fno-trapping-math", "-Wall", "-Wextra", "-Wno-psabi"]
CXXFLAGS += [f"-ffile-prefix-map={ROOT}=."]  # two builds in two folders give the same bytes
# GCC 12 takes the undefined start value inside its own AVX-512 intrinsics for an error.
KERNEL_FLAGS = ["-fno-exceptions", "-fno-rtti", "-Wno-uninitialized", "-Wno-maybe-uninitialized"]
LINK_FLAGS = ["-pthread"] if DEBUG else ["-pthread", "-Wl,--strip-debug"]
# At -O3 the instrumented kernels take three times as long to compile, and find nothing more.
# Checks of addresses are calls: inline, they would be most of the code.
SANITIZER_FLAGS = ["-O1", f"-fsanitize={SANITIZE}", "-fno-sanitize-recover=all"]
SANITIZER_FLAGS += ["-fno-omit-frame-pointer", "--param"]
SANITIZER_FLAGS += ["asan-instrumentation-with-call-threshold=0"]
EMULATION_LEVEL = "-O2"  # at -O1, GCC 12 mixes up halves of vectors wider than those it has
MACROS: list[tuple[str, str | None]] = [("HADES_X86", "1")] if X86 else []


def tier_of(source: str) -> str | None:
    """The tier that the file name asks for: gemm_avx512_vnni.cpp -> avx512_vnni."""
    stem = Path(source).stem
    matches = [tier for tier in ISA_FLAGS if stem.endswith(f"_{tier}")]
    return max(matches, key=len, default=None)


def native_sources() -> list[str]:
    """Every C++ file that can be compiled for this architecture, relative to the root."""
    sources = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("csrc/**/*.cpp"))
    return [source for source in sources if X86 or tier_of(source) in (None, "scalar")]


def longest_first(sources: list[str]) -> list[str]:
    """The order to compile in: no core is left alone with the longest file at the end.

    Vector code takes longest, and more of it where the templates of its folder are many.
    """

    def size(source: str) -> int:
        templates = (ROOT / source).parent.glob("*_generic.h")
        code = sum(path.stat().st_size for path in [ROOT / source, *templates])
        return code if tier_of(source) else 0

    return sorted(sources, key=size, reverse=True)


def is_sanitized(source: str) -> bool:
    """Whether sanitizers look at this file: at baseline code and at the scalar kernels.

    The vector kernels are the same templates, which take four times as long to compile with them,
    and masked accesses, which sanitizers do not see, meet the guard pages of the tests. Their
    objects are those of the plain build.
    """
    return bool(SANITIZE) and tier_of(source) in (None, "scalar")


def emulated_tiers() -> list[str]:
    """The tiers that PYHADES_EMULATE names, and those that contain one of them.

    Their intrinsics are computed by the instructions of the best tier below, through the headers of
    SIMDe (package simde-py) and csrc/simd/emulated, so that kernels can be tested on machines that
    lack their instructions.
    """
    named = [name for name in EMULATE.split(",") if name]
    unknown = [name for name in named if name not in ISA_FLAGS or name == "scalar"]
    if unknown or (named and not X86):
        sys.exit(f"PYHADES_EMULATE={EMULATE}: choose from {', '.join([*ISA_FLAGS][1:])}, on x86-64")
    return [
        tier
        for tier, flags in ISA_FLAGS.items()
        if any(set(ISA_FLAGS[name]) <= set(flags) for name in named)
    ]


EMULATED = emulated_tiers()


def emulation_flags(tier: str) -> list[str]:
    """Flags of an emulated tier: instructions of the best tier below that is not emulated."""
    from simde_py import get_include

    below = [
        flags
        for name, flags in ISA_FLAGS.items()
        if name not in EMULATED and set(flags) <= set(ISA_FLAGS[tier])
    ]
    shims = ["-Icsrc/simd/emulated", "-isystem", get_include()]
    return [*max(below, key=len), *shims, "-DHADES_EMULATED", EMULATION_LEVEL]


def emulated_features() -> str:
    """An expression of base/isa.h: the features that only emulated tiers have."""
    rest = [tier for tier in ISA_FLAGS if tier not in EMULATED]
    emulated, native = (" | ".join(f"tier::{name}" for name in names) for names in (EMULATED, rest))
    return f"({emulated}) & ~({native})"


def is_emulated(source: str) -> bool:
    """Whether emulation changes the object of this file."""
    return bool(EMULATED) and (tier_of(source) in EMULATED or source == "csrc/base/isa.cpp")


def flags_of(source: str) -> list[str]:
    """Compiler flags of one file of csrc/."""
    tier = tier_of(source)
    flags = [*CXXFLAGS, *(["-Werror"] if WERROR else [])]
    if is_sanitized(source):
        flags = [*CXXFLAGS, *SANITIZER_FLAGS]  # GCC warns of what its instrumentation adds
    if tier is None:
        features = [f"-DHADES_EMULATED_FEATURES={emulated_features()}"]
        return [*flags, *features] if is_emulated(source) else flags
    machine = emulation_flags(tier) if tier in EMULATED else ISA_FLAGS[tier]
    return [*flags, *KERNEL_FLAGS, *machine, *ISA_MACROS[tier], f"-DHADES_ISA={tier}"]


def is_fresh(target: str, dependencies: str) -> bool:
    """Whether an object is newer than everything that its dependency file lists."""
    try:
        built = Path(target).stat().st_mtime
        names = re.sub(r"\\\n", " ", Path(dependencies).read_text()).split(":", 1)[1].split()
        return all(Path(name).stat().st_mtime <= built for name in [*names, "setup.py"])
    except OSError:
        return False


class BuildNative(build_ext):
    """Compiles csrc/ in parallel, one file with its own flags, and only what has changed."""

    def finalize_options(self) -> None:
        super().finalize_options()
        # setuptools gives editable builds a temporary folder; ours is kept, one per set of flags.
        settings = [CXXFLAGS, LINK_FLAGS, MACROS, sys.version, os.environ.get("CXX"), WERROR]
        key = hashlib.sha256(repr(settings).encode()).hexdigest()[:8]
        self.build_temp = f"build/objects-{key}"
        if EMULATED or SANITIZE:  # beside the extension that a wheel would hold
            self.build_lib = "build/emulated" if EMULATED else "build/sanitized"

    def run(self) -> None:
        """Build; refuses to put emulated tiers into anything that is installed."""
        if EMULATED and self.distribution.commands != ["build_ext"]:
            raise OptionError(
                "PYHADES_EMULATE is for tests and never part of a wheel or an installation: unset "
                "it, or run python setup.py build_ext"
            )
        super().run()

    def build_extensions(self) -> None:
        """Compile the native sources, then link them into the extension."""
        jobs = int(os.environ.get("PYHADES_JOBS", 0)) or os.cpu_count() or 1
        with ThreadPoolExecutor(jobs) as pool:
            objects = list(pool.map(self.compile_native, longest_first(native_sources())))
        for extension in self.extensions:
            extension.extra_objects = objects
            extension.depends = objects
        super().build_extensions()
        for extension in self.extensions:
            self.list_objects(self.get_ext_fullpath(extension.name), objects)

    def list_objects(self, extension: str, objects: list[str]) -> None:
        """Write down, beside the objects, which extension they were linked into.

        Tests look at the symbols of the objects of the very extension that they import.
        """
        digest = hashlib.sha256(Path(extension).read_bytes()).hexdigest()
        tiers = {path: tier_of(path) for path in objects}
        Path(self.build_temp, f"{digest}.json").write_text(json.dumps(tiers, indent=1))

    def compile_native(self, source: str) -> str:
        """Compile one file unless its object is fresh; returns the object's path."""
        folder = self.build_temp
        if is_emulated(source):
            folder += "/emulated-" + "-".join(EMULATED)
        if is_sanitized(source):
            folder += "/sanitized-" + SANITIZE.replace(",", "-")
        target = self.compiler.object_filenames([source], output_dir=folder)[0]
        dependencies = f"{target}.d"
        if not is_fresh(target, dependencies):
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            self.compiler.compile(
                [source],
                output_dir=folder,
                macros=MACROS,
                include_dirs=["csrc"],
                extra_postargs=[*flags_of(source), "-MMD", "-MF", dependencies],
                depends=["setup.py"],
            )
        return target


limited_api = [("Py_LIMITED_API", "0x030B0000")] if ABI3 else []
native = Extension(
    "pyhades._native",
    ["pyhades/_native.pyx"],
    language="c++",
    include_dirs=["csrc"],
    define_macros=[*MACROS, *limited_api],
    extra_compile_args=[*CXXFLAGS, "-Wno-unused-parameter", *(SANITIZER_FLAGS if SANITIZE else [])],
    extra_link_args=["-pthread", f"-fsanitize={SANITIZE}"] if SANITIZE else LINK_FLAGS,
    py_limited_api=ABI3,
)
setup(
    cmdclass={"build_ext": BuildNative},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if ABI3 else {},
    ext_modules=cythonize(
        [native], build_dir="build/cython", compiler_directives={"language_level": "3"}
    ),
)
