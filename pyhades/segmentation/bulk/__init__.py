"""Many pictures: workers that each do whole ones, and what a run of days needs around them."""

from pyhades.segmentation.bulk.overlap import overlap

__all__ = ["overlap"]
