"""Files that are there as a whole or not at all, whoever ends the process in between."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pyhades.segmentation.bulk.sinks.parts import part_name, release

MODE = 0o666
"""Of new files, before the kernel takes away what the umask says. Nobody has to know the umask,
which can only be read by setting it, for all threads at once."""
_NO_UNNAMED = {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL, errno.ENOSYS}
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOENT, errno.EXDEV, errno.EMLINK, errno.ENOSYS}
_BLOCK = 1 << 20


def write_whole(
    path: Path, pieces: Iterable[Any], *, replace: bool = True, sync: bool = False
) -> None:
    """Write a file that nobody ever sees half of.

    It has no name before it is whole, where the file system can do that: then a killed process
    leaves nothing. Elsewhere it has the name of a part, see
    :mod:`pyhades.segmentation.bulk.sinks.parts`, and later runs take away what the dead have left.

    Parameters
    ----------
    path
        Of the file, in a folder that exists.
    pieces
        Its content: bytes that follow one another.
    replace
        Whether a file of that name is replaced.
    sync
        Whether the content is on the disk before it has its name.

    Raises
    ------
    FileExistsError
        Something has that name, and is not to be replaced.
    OSError
        It cannot be written. Then nothing has changed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder) / "a.txt", [b"one", b"two"])
    ...     (Path(folder) / "a.txt").read_text()
    'onetwo'
    """
    descriptor = _unnamed(path.parent)
    if descriptor is None:
        _under_a_part(path, pieces, replace, sync)
        return
    try:
        _fill(descriptor, pieces, sync)
        if not _name(descriptor, path, replace):
            os.lseek(descriptor, 0, os.SEEK_SET)
            _under_a_part(path, _content(descriptor), replace, sync)
    finally:
        os.close(descriptor)


def put_in_place(part: Path, path: Path, *, replace: bool) -> None:
    """Give a finished file its name, at once.

    Raises
    ------
    FileExistsError
        Something has that name and is not to be replaced.
    """
    if replace:
        part.replace(path)
        return
    try:
        os.link(part, path)  # unlike a rename, this never replaces what came in the meantime
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "File exists", str(path)) from None
        part.replace(path)
    else:
        part.unlink()


def _unnamed(folder: Path) -> int | None:
    """A new file without a name; None where there is no such thing."""
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, MODE)
    except OSError as error:
        if error.errno in _NO_UNNAMED:
            return None
        raise
    if not Path(_handle(descriptor)).exists():  # without /proc it would never get a name
        os.close(descriptor)
        return None
    return descriptor


def _name(descriptor: int, path: Path, replace: bool) -> bool:
    """Give a file its name; False where it can have none."""
    try:
        _link(descriptor, path)
    except FileExistsError:
        if not replace:
            raise
        _replace(descriptor, path)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    return True


def _replace(descriptor: int, path: Path) -> None:
    part = path.with_name(part_name())
    try:
        _link(descriptor, part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        release(part.name)


def _link(descriptor: int, path: Path) -> None:
    # With a folder's descriptor, which an absolute path has no use for, Python follows links.
    try:
        os.link(_handle(descriptor), path, src_dir_fd=descriptor, follow_symlinks=True)
    except OSError as error:  # the name that somebody knows
        raise OSError(error.errno, error.strerror, str(path)) from error


def _handle(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


def _under_a_part(path: Path, pieces: Iterable[Any], replace: bool, sync: bool) -> None:
    part = path.with_name(part_name())
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
        try:
            _fill(descriptor, pieces, sync)
        finally:
            os.close(descriptor)
        put_in_place(part, path, replace=replace)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        release(part.name)


def _fill(descriptor: int, pieces: Iterable[Any], sync: bool) -> None:
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    if sync:
        os.fsync(descriptor)


def _content(descriptor: int) -> Iterator[bytes]:
    while block := os.read(descriptor, _BLOCK):
        yield block
