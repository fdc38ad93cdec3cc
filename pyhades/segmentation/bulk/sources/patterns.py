"""Which pictures of a folder are meant, and what their results are called."""

from __future__ import annotations

import fnmatch
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from pyhades.errors import ArgumentError

PLAIN = "{stem}{suffix}"
"""How results are called unless somebody says otherwise."""
_FIELDS = {"stem", "suffix", "name"}


def check_name_pattern(pattern: str) -> str:
    """``pattern``, which makes names of results that differ where those of pictures do.

    Parameters
    ----------
    pattern
        ``{stem}`` is a picture's name without its suffix, ``{name}`` with it, and ``{suffix}`` that
        of results.

    Raises
    ------
    ArgumentError
        It does not, or its names would lead into other folders.

    Examples
    --------
    >>> check_name_pattern("{stem}-cut{suffix}")
    '{stem}-cut{suffix}'
    """
    try:
        parts = list(string.Formatter().parse(pattern))
    except ValueError as error:
        raise ArgumentError(f"name_pattern={pattern!r}: {error}") from error
    fields = {name for _, name, _, _ in parts if name is not None}
    if fields - _FIELDS or any(form or how for _, _, form, how in parts):
        raise ArgumentError(
            f"name_pattern={pattern!r}: what stands in braces is {{stem}}, {{name}} or {{suffix}}"
        )
    if not {"stem", "name"} & fields:
        raise ArgumentError(
            f"name_pattern={pattern!r} gives all results one name; it needs {{stem}} or {{name}}"
        )
    if "/" in pattern or "\0" in pattern:
        raise ArgumentError(
            f"name_pattern={pattern!r} is of names, not of paths: results lie in the same folders "
            "as their pictures, below the destination"
        )
    if not pattern.endswith("{suffix}"):
        raise ArgumentError(f"name_pattern={pattern!r} has to end in {{suffix}}")
    return pattern


@dataclass(frozen=True)
class Selection:
    """Patterns as a shell has them, of names or of paths below a folder.

    ``*`` and ``?`` stand for what is no ``/``, ``**`` for anything. A pattern without ``/`` is one
    of names, in whatever folder. Small and capital letters differ.

    Attributes
    ----------
    include
        A picture is taken if one of them fits; all are where there is none.
    exclude
        It is not if one of these fits it, or a folder that it lies in.

    Examples
    --------
    >>> selection = Selection(include=("*.jpg",), exclude=("old", "cats/*_mask.jpg"))
    >>> [selection.takes(path) for path in ("a.jpg", "a.png", "x/old/a.jpg", "cats/1_mask.jpg")]
    [True, False, False, False]
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @classmethod
    def of(cls, include: Sequence[str] | str, exclude: Sequence[str] | str) -> Selection:
        """One pattern of each kind, or several."""
        given = [(p,) if isinstance(p, str) else tuple(p) for p in (include, exclude)]
        for name, patterns in zip(("include", "exclude"), given, strict=True):
            if not all(patterns):
                raise ArgumentError(f"{name} has an empty pattern, which fits nothing")
        return cls(*given)

    def __bool__(self) -> bool:
        return bool(self.include or self.exclude)

    def takes(self, path: str) -> bool:
        """Whether a picture is meant; its path is below the folder that was given."""
        if self.include and not any(_fits(pattern, path) for pattern in self.include):
            return False
        parts = path.split("/")
        above = ("/".join(parts[:end]) for end in range(1, len(parts)))
        return self._keeps(path) and all(map(self.enters, above))

    def enters(self, folder: str) -> bool:
        """Whether a folder is looked into, as far as it and not those above it are concerned."""
        return self._keeps(folder) and not any(
            _fits(pattern.rstrip("/"), folder) for pattern in self.exclude if pattern[-1] == "/"
        )

    def _keeps(self, path: str) -> bool:
        return not any(_fits(pattern, path) for pattern in self.exclude)


ALL = Selection()


def _fits(pattern: str, path: str) -> bool:
    if "/" not in pattern.rstrip("/"):
        return fnmatch.fnmatchcase(path.rpartition("/")[2], pattern)
    return re.fullmatch(_expression(pattern.lstrip("/")), path) is not None


def _expression(pattern: str) -> str:
    """A pattern of paths as a regular expression."""
    made = ""
    for piece in re.findall(r"\*\*/|\*\*|\*|\?|\[[^]/]+\]|.", pattern, re.DOTALL):
        if piece in _WILD:
            made += _WILD[piece]
        elif len(piece) > 1:  # a set of characters
            made += re.sub(r"^\[!", "[^", piece.replace("\\", r"\\"))
        else:
            made += re.escape(piece)
    return f"(?s:{made})"


_WILD = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
