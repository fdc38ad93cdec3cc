"""Models by name: where their files lie on this machine, and how they come here.

Nothing is fetched unless it is asked for. Files that other tools have fetched are used where they
lie, after their checksum was compared.
"""

from pyhades.segmentation.store.download import download
from pyhades.segmentation.store.models import Found, is_offline, locate, missing, pull, require
from pyhades.segmentation.store.places import cache_folder, places

__all__ = [
    "Found",
    "cache_folder",
    "download",
    "is_offline",
    "locate",
    "missing",
    "places",
    "pull",
    "require",
]
