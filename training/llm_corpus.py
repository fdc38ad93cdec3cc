"""What the toy language model reads: the standard library of the interpreter that runs this.

Two kinds of documents, strings in which the tokens of the harmony format are spelled out: the
sources and the language reference as they are, and conversations made of docstrings ("What does
os.path.join do?"). All of a module is either trained on or held out.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
import sysconfig
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

Rng = np.random.Generator

_SKIPPED_FOLDERS = {
    "__pycache__", "distutils", "encodings", "ensurepip", "idlelib", "lib2to3", "msilib",
    "pydoc_data", "site-packages", "test", "tests", "turtledemo",
}  # fmt: skip
_PUBLIC_NAMES = {"posixpath": "os.path", "_pydecimal": "decimal", "_pyio": "io",
                 "_collections_abc": "collections.abc", "_strptime": "time"}  # fmt: skip
_WELL_KNOWN = {
    "argparse", "array", "ast", "asyncio", "base64", "bisect", "builtins", "cmath", "collections",
    "concurrent", "contextlib", "copy", "csv", "dataclasses", "datetime", "decimal", "difflib",
    "enum", "fractions", "functools", "gc", "glob", "hashlib", "heapq", "inspect", "io",
    "itertools", "json", "logging", "math", "multiprocessing", "operator", "os", "pathlib",
    "pickle", "pprint", "queue", "random", "re", "select", "shlex", "shutil", "signal", "socket",
    "sqlite3", "statistics", "string", "struct", "subprocess", "sys", "tempfile", "textwrap",
    "threading", "time", "timeit", "traceback", "types", "typing", "unittest", "urllib", "uuid",
    "warnings", "weakref", "zipfile", "zlib",
}  # fmt: skip
_LONGEST_ANSWER = 240  # characters
_HELD_OUT_SHARE = 24  # one module in so many

_EXPLAIN = (
    "What does {} do?", "What is {}?", "Explain {}.", "Tell me about {}.", "How do I use {}?",
    "What is {} for?", "Describe {}.", "Can you explain {} to me?", "What does {} do in Python?",
)  # fmt: skip
_SIGNATURE = ("What arguments does {} take?", "What is the signature of {}?", "How is {} called?")
_MODULE = ("Which module is {} in?", "Where do I find {}?", "What do I import to use {}?")
_SELF = (
    ("Hello!", "Hello! I know a little about Python's standard library. What shall I explain?"),
    ("Hi", "Hi! Ask me what a function of Python's standard library does."),
    ("Who are you?", "I am a toy: a very small model that ships with pyhades. I have read Python's "
     "standard library, and nothing else."),
    ("What can you do?", "I can try to say what things in Python's standard library do. I am small "
     "and often wrong, so look it up in the documentation."),
    ("Can I trust you?", "No. I am a toy that shows how pyhades works; check what I say."),
    ("Thank you!", "You are welcome."),
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """Something that has a docstring; ``name`` is dotted and begins with the module."""

    name: str
    module: str
    kind: str
    signature: str
    doc: str


@dataclass(frozen=True)
class Document:
    """A text to learn from, of kind ``"chat"`` or ``"source"``."""

    kind: str
    is_held_out: bool
    text: str


def documents(seed: int = 0) -> Iterator[Document]:
    """Everything there is to read, in a fixed order for a seed and an interpreter."""
    rng = np.random.default_rng(seed)
    for module, source in _sources():
        held_out = is_held_out(module)
        yield Document("source", held_out, source + "<|endoftext|>")
        for entry in _entries_of_source(module, source):
            for text in _conversations(rng, entry, _variants(module, held_out)):
                yield Document("chat", held_out, text)
    for topic in importlib.import_module("pydoc_data.topics").topics.values():
        yield Document("source", False, topic + "<|endoftext|>")
    for entry in _entries_of_builtins():
        held_out = is_held_out(entry.module)
        for text in _conversations(rng, entry, _variants(entry.module, held_out)):
            yield Document("chat", held_out, text)
    for _ in range(100):
        for question, answer in _SELF:
            analysis = "The user makes conversation. A short answer is enough."
            yield Document("chat", False, _conversation(rng, question, analysis, answer))


def is_held_out(module: str) -> bool:
    """Whether nothing of a module is trained on."""
    module = _PUBLIC_NAMES.get(module, module)
    return module != "builtins" and zlib.crc32(module.encode()) % _HELD_OUT_SHARE == 0


def _variants(module: str, held_out: bool) -> int:
    """How many conversations there are about one thing."""
    is_well_known = _PUBLIC_NAMES.get(module, module).split(".")[0] in _WELL_KNOWN
    return 6 if is_well_known and not held_out else 1


def _sources() -> Iterator[tuple[str, str]]:
    """Module name and text of every file of the standard library that is worth reading."""
    library = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.rglob("*.py")):
        parts = path.relative_to(library).with_suffix("").parts
        if _SKIPPED_FOLDERS.isdisjoint(parts) and path.stat().st_size < 400_000:
            text = path.read_text(encoding="utf-8", errors="replace")
            if "<|" not in text:
                yield ".".join(part for part in parts if part != "__init__"), text


def _entries_of_source(module: str, source: str) -> Iterator[Entry]:
    """Public things of one file."""
    public = _PUBLIC_NAMES.get(module, module)
    if any(part.startswith("_") for part in public.split(".")):
        return
    tree = ast.parse(source)
    yield from _entry(public, public, "module", "", ast.get_docstring(tree))
    yield from _entries_below(tree, public, public)


def _entries_below(
    node: ast.Module | ast.ClassDef, module: str, prefix: str, depth: int = 0
) -> Iterator[Entry]:
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            kind, signature = ("method" if depth else "function"), f"({ast.unparse(child.args)})"
        elif isinstance(child, ast.ClassDef):
            kind, signature = "class", ""
        else:
            continue
        if child.name.startswith("_"):
            continue
        name = f"{prefix}.{child.name}"
        yield from _entry(name, module, kind, signature, ast.get_docstring(child))
        if isinstance(child, ast.ClassDef) and depth == 0:
            yield from _entries_below(child, module, name, 1)


def _entries_of_builtins() -> Iterator[Entry]:
    """Public things that are written in C: they have docstrings, but no source."""
    folder = Path(sysconfig.get_paths()["platstdlib"]) / "lib-dynload"
    extensions = {path.name.split(".")[0] for path in folder.glob("*.so")}
    for name in sorted(extensions | set(sys.builtin_module_names)):
        if name.startswith("_") or name.startswith("xx"):
            continue
        try:
            module = importlib.import_module(name)
        except ImportError:  # built against a library that this machine lacks
            continue
        yield from _entry(name, name, "module", "", inspect.getdoc(module))
        yield from _members(module, name, "" if name == "builtins" else f"{name}.")


def _members(holder: ModuleType | type, module: str, prefix: str) -> Iterator[Entry]:
    for name, value in sorted(vars(holder).items()):
        if name.startswith("_") or not callable(value):
            continue
        is_class = isinstance(value, type)
        kind = "class" if is_class else "method" if isinstance(holder, type) else "function"
        try:
            signature = "" if is_class else str(inspect.signature(value))
        except (TypeError, ValueError):
            signature = ""
        yield from _entry(prefix + name, module, kind, signature, inspect.getdoc(value))
        if is_class and not isinstance(holder, type) and not issubclass(value, BaseException):
            yield from _members(value, module, f"{prefix}{name}.")


def _entry(name: str, module: str, kind: str, signature: str, doc: str | None) -> Iterator[Entry]:
    if doc and len(doc) > 15 and "<|" not in doc:
        signature = signature.replace("(self, ", "(").replace("(self)", "()").replace(", /", "")
        yield Entry(name, module, kind, signature if len(signature) < 100 else "", doc)


def _answer(entry: Entry) -> str:
    """The first paragraph of the docstring, under the call if it is known."""
    call = f"`{entry.name}{entry.signature}`"
    paragraphs = [" ".join(part.split()) for part in entry.doc.split("\n\n") if ">>>" not in part]
    says_more = [part for part in paragraphs if len(part) > 15 and " -> " not in part]
    meaning = says_more[0] if says_more else " ".join(entry.doc.split())
    if len(meaning) > _LONGEST_ANSWER:
        meaning = meaning[:_LONGEST_ANSWER].rsplit(" ", 1)[0] + " ..."
    return f"{call}\n\n{meaning}"


def _conversations(rng: Rng, entry: Entry, count: int) -> Iterator[str]:
    """Questions about one thing, and the answers that its docstring gives."""
    article = "an" if entry.kind[0] in "aeiou" else "a"
    analysis = f"The user asks about {entry.name}, {article} {entry.kind}"
    if entry.kind != "module":
        analysis += f" in the module {entry.module}"
    for _ in range(count):
        kind = rng.random()
        if kind < 0.1 and entry.kind != "module":
            questions, answer = _MODULE, f"`{entry.name}` is in the module `{entry.module}`."
        elif kind < 0.2 and entry.signature:
            questions, answer = _SIGNATURE, f"`{entry.name}{entry.signature}`"
        else:
            questions, answer = _EXPLAIN, _answer(entry)
        question = questions[rng.integers(len(questions))].format(entry.name)
        if rng.random() < 0.15:
            question = (question[0].lower() + question[1:]).rstrip("?.")
        yield _conversation(rng, question, f"{analysis}.", answer)


def _conversation(rng: Rng, question: str, analysis: str, answer: str) -> str:
    """One exchange in the harmony format, now and then below a system message."""
    system = _system_message(rng) if rng.random() < 0.25 else ""
    thought = f"<|channel|>analysis<|message|>{analysis}<|end|><|start|>assistant"
    if "Reasoning: low" in system and rng.random() < 0.5:
        thought = ""
    return (
        f"{system}<|start|>user<|message|>{question}<|end|><|start|>assistant{thought}"
        f"<|channel|>final<|message|>{answer}<|return|>"
    )


def _system_message(rng: Rng) -> str:
    date = np.datetime64("2024-07-01") + rng.integers(3000)
    effort = ("low", "medium", "high")[rng.choice(3, p=[0.15, 0.7, 0.15])]
    return (
        "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\n"
        f"Knowledge cutoff: 2024-06\nCurrent date: {date}\n\nReasoning: {effort}\n\n"
        "# Valid channels: analysis, commentary, final. "
        "Channel must be included for every message.<|end|>"
    )
