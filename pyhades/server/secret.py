"""The secret of a server, which outlives it where what it keeps does.

What tells clients apart is made of it and of their keys, so that a restarted server finds for each
client what was read for it before, and for no other.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from pyhades.errors import ConfigurationError

NAME = "secret"
"""Of the file in a folder of a cache."""
_BYTES = 32


def lasting_secret(path: str | os.PathLike[str]) -> bytes:
    """The secret in a file; where there is none, it is made, for its owner's eyes only.

    Servers that start at the same time get the same one.

    Parameters
    ----------
    path
        Of a file with 64 hexadecimal digits. Its folder is made, too.

    Raises
    ------
    ConfigurationError
        It holds something else, others can read it, or it cannot be read or made.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lasting_secret(folder + "/secret") == lasting_secret(folder + "/secret")
    True
    """
    path = Path(path)
    try:
        if not path.exists():
            _make(path)
        mode = path.stat().st_mode
        text = path.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"cannot read or make the secret of the server, {path}: {error}"
        ) from error
    if os.name == "posix" and mode & 0o077:
        raise ConfigurationError(
            f"others can read {path}, the secret of the server; run chmod 600 {path}"
        )
    return _parsed(text, path)


def _parsed(text: str, path: Path) -> bytes:
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) != _BYTES:
        raise ConfigurationError(
            f"{path} is no secret of a server, which is {2 * _BYTES} hexadecimal digits; remove it "
            "to have one made, after which nothing that was kept for clients is found"
        )
    return secret


def _make(path: Path) -> None:
    """Write a secret under another name, and give it its own unless somebody was quicker."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{secrets.token_bytes(_BYTES).hex()}\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
    finally:
        Path(part).unlink()
