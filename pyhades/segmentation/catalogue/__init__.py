"""The models that we know by name, how a file is recognised, and the guess for all others.

A file is recognised by the checksum that its publisher states, else by the signature of its graph.
Every entry has two profiles: ``reference``, the numbers of the authors' own inference code, and
``rembg``, what that tool does with the same file.
"""

from pyhades.segmentation.catalogue.entry import PROFILES, Entry, Profile, PublishedFile
from pyhades.segmentation.catalogue.identify import GUESSED_SIDE, Identification, identify
from pyhades.segmentation.catalogue.published import CATALOGUE, ENTRIES, find_entry

__all__ = [
    "CATALOGUE", "ENTRIES", "GUESSED_SIDE", "PROFILES", "Entry", "Identification", "Profile",
    "PublishedFile", "find_entry", "identify",
]  # fmt: skip
