"""What goes from a folder so that something new finds room."""

from __future__ import annotations

from dataclasses import replace

from pyhades.llm.cache.disk.headers import Header
from pyhades.llm.cache.disk.index import FORWARD, Place, Victim, ranked, worth_copying
from pyhades.llm.cache.disk.reading import Reader
from pyhades.llm.cache.disk.room import Room, Survey
from pyhades.llm.cache.policies import Policy, Rank

Forward = tuple[Header, bytes]
"""A record of a segment that goes, to be written anew."""


class NoRoom(Exception):
    """Nothing can be given up; the text says why."""


class NotWorthIt(Exception):
    """What comes is worth less than what would have to go."""


def make_room(
    room: Room, reader: Reader, policy: Policy, needed: int, incoming: Rank | None
) -> list[Forward]:
    """Remove segments until so many bytes are free; records that are worth more than that.

    Those of other models go first, the oldest before others; then files of ours that we cannot
    read; then what the policy ranks lowest. Whoever calls has the folder alone.

    Parameters
    ----------
    incoming
        The rank of what needs the room.

    Raises
    ------
    NoRoom
        What is left is being written, or is no segment.
    NotWorthIt
        What would have to go ranks higher than what comes.
    """
    if needed > room.limit:
        raise NoRoom(f"{needed} bytes are more than the room of {room.limit}")
    survey = room.survey()
    if survey.has_room(needed):
        return []
    survey.remove_oldest(survey.theirs, needed)
    unknown = [file for file in survey.ours if file.path.name not in reader.index.segments]
    survey.remove_oldest(unknown, needed)
    forwards = []
    if not survey.has_room(needed):
        forwards = _give_up(survey, reader, policy, needed, incoming)
    if not survey.has_room(needed):
        reader.troubles.count("evicted", len(forwards))
        raise NoRoom(
            f"{survey.taken} bytes of {room.limit} are taken by files that are in use, or that "
            f"are no segments, and {needed} more are needed"
        )
    return forwards


def _give_up(
    survey: Survey, reader: Reader, policy: Policy, needed: int, incoming: Rank | None
) -> list[Forward]:
    index = reader.index
    files = {file.path.name: file for file in survey.ours if not file.is_live}
    known = list(index.segments.values())
    victims = ranked(index, [each for each in known if each.path.name in files], policy)
    forwards: list[Forward] = []
    for number, victim in enumerate(victims):
        if survey.has_room(needed):
            break
        if not number and incoming is not None and victim.least > incoming:
            raise NotWorthIt
        file = files[victim.segment.path.name]
        above = victims[min(number + 1, len(victims) - 1)].rank
        copies = _copies(reader, victim, policy, above, int(file.taken * FORWARD))
        if survey.remove(file):
            reader.troubles.count("evicted", index.forget(victim.segment) - len(copies))
            forwards += copies
    return forwards


def _copies(
    reader: Reader, victim: Victim, policy: Policy, above: Rank, most: int
) -> list[Forward]:
    places = worth_copying(reader.index.of(victim.segment), policy, above, most)
    found = [(place, reader.framed(key, place)) for key, place in places]
    return [_used(stored, place) for place, stored in found if stored is not None]


def _used(stored: Forward, place: Place) -> Forward:
    """As it was used since it was written."""
    stored[0].use = replace(place.use)
    return stored
