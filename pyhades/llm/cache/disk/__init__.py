"""The level of the cache that outlives the process: records in append-only files.

From below: bytes of files (``framing``, ``encoding``), files and their locks (``files``), what
stands in one (``scanning``) and how it is written (``writing``), where every record lies
(``index``, ``loading``), what goes for something new (``room``, ``making_room``), records after
records (``appending``), the face that the other levels see (``level``), and one folder for many
models (``models``). The files are described in docs/reference/cache_files.md.
"""

from pyhades.llm.cache.disk.level import DiskLevel
from pyhades.llm.cache.disk.models import describe, open_disk_level

__all__ = ["DiskLevel", "describe", "open_disk_level"]
