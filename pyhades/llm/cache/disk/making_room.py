"""What goes from a folder so that something new finds room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyhades.llm.cache.disk.framing import Header, NotOurs
from pyhades.llm.cache.disk.index import FORWARD, Index, Place, Victim, ranked, worth_copying
from pyhades.llm.cache.disk.room import Room, Survey
from pyhades.llm.cache.disk.scanning import read_record
from pyhades.llm.cache.disk.troubles import Troubles
from pyhades.llm.cache.policies import Policy, Rank
from pyhades.llm.cache.records import Key

Forward = tuple[Header, bytes]
"""A record of a segment that goes, to be written anew."""


class NoRoom(Exception):
    """Nothing can be given up; the text says why."""


class NotWorthIt(Exception):
    """What comes is worth less than what would have to go."""


def make_room(
    room: Room, index: Index, policy: Policy, troubles: Troubles, needed: int, incoming: Rank | None
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
    unknown = [file for file in survey.ours if file.path.name not in index.segments]
    survey.remove_oldest(unknown, needed)
    forwards = [] if survey.has_room(needed) else _give_up(
        survey, index, policy, troubles, needed, incoming
    )  # fmt: skip
    if not survey.has_room(needed):
        raise NoRoom(
            f"{survey.taken} bytes of {room.limit} are taken by files that are in use, or that "
            f"are no segments, and {needed} more are needed"
        )
    return forwards


def _give_up(
    survey: Survey, index: Index, policy: Policy, troubles: Troubles, needed: int,
    incoming: Rank | None,
) -> list[Forward]:  # fmt: skip
    files = {file.path.name: file for file in survey.ours if not file.is_live}
    known = list(index.segments.values())
    victims = ranked(index, [each for each in known if each.path.name in files], policy)
    forwards: list[Forward] = []
    for number, victim in enumerate(victims):
        if survey.has_room(needed):
            break
        if incoming is not None and victim.least > incoming:
            raise NotWorthIt
        file = files[victim.segment.path.name]
        above = victims[min(number + 1, len(victims) - 1)].rank
        copies = _copies(index, victim, policy, above, int(file.taken * FORWARD), troubles)
        if survey.remove(file):
            troubles.count("evicted", index.forget(victim.segment) - len(copies))
            forwards += copies
    return forwards


def _copies(
    index: Index, victim: Victim, policy: Policy, above: Rank, most_bytes: int, troubles: Troubles
) -> list[Forward]:
    places = worth_copying(index.of(victim.segment), policy, above, most_bytes)
    return list(_read(places, troubles))


def _read(places: Sequence[tuple[Key, Place]], troubles: Troubles) -> list[Forward]:
    found = []
    for key, place in places:
        path = place.segment.path
        try:
            header, payload = read_record(path, place.segment.head.seed, place.offset, place.length)
            if header.key != key:
                raise NotOurs("a record has the name of another")
        except (NotOurs, OSError) as error:
            troubles.damaged(path, error)
            continue
        header.use = replace(place.use)
        found.append((header, payload))
    return found
