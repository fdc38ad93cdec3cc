"""Clips: frame by frame through a remover, with their times and their sound, by PyAV."""

from pyhades.segmentation.video.clip import VIDEO_SUFFIXES
from pyhades.segmentation.video.removing import check_target, remove_video

__all__ = ["VIDEO_SUFFIXES", "check_target", "remove_video"]
