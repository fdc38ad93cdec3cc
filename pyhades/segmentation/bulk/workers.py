"""What the workers of a pool are made of, and which part of the chain each has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyhades.engines.exchange import Exchange
from pyhades.segmentation.animation import Animation
from pyhades.segmentation.buffers import FRESH, Buffers, KeptBuffers
from pyhades.segmentation.bulk.chain import Cutting, Decoding, Encoding, Look, Read, Whole
from pyhades.segmentation.bulk.crew import Crew, Seat
from pyhades.segmentation.bulk.rendering import Rendered, Rendering
from pyhades.segmentation.bulk.seating import replica_of
from pyhades.segmentation.cutout import Cutout
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.remover import Remover
from pyhades.segmentation.session import Session


@dataclass(frozen=True)
class ChainWorkers:
    """Makes the workers of a chain, and divides the chain among crews.

    Attributes
    ----------
    remover
        Whose network it is.
    threads
        Of every worker.
    exchange
        Where workers ask for predictions; None where each has a session of our engine.
    """

    remover: Remover
    threads: int
    rendering: Rendering
    read: Read
    look: Look
    exchange: Exchange | None = None

    def whole(self, seat: Seat) -> Whole:
        """A worker that does everything, and uses its memory again."""
        buffers = KeptBuffers()
        return Whole(self.decoding(seat, buffers), self.cutting(seat, buffers), self.encoding(seat))

    def decoding(self, seat: Seat, buffers: Buffers = FRESH) -> Decoding:
        return Decoding(self.read, self.remover.max_pixels, self.rendering, seat.clock, buffers)

    def cutting(self, seat: Seat, buffers: Buffers = FRESH) -> Cutting:
        return Cutting(self._session(seat, buffers), self.encoding(seat))

    def _session(self, seat: Seat, buffers: Buffers) -> Session:
        given: dict[str, Any] = {"threads": self.threads, "buffers": buffers, "clock": seat.clock}
        if self.exchange is not None:
            return self.remover.session_on(self.exchange, **given)
        return self.remover.session(replica=replica_of(seat.node), **given)

    def decoding_and_cutting(self, seat: Seat) -> Whole:
        return Whole(self.decoding(seat), self.cutting(seat))

    def cutting_and_encoding(self, seat: Seat) -> Whole:
        return Whole(self.cutting(seat), self.encoding(seat))

    def encoding(self, seat: Seat) -> Encoding:
        return Encoding(self.rendering, self.look, seat.clock)

    def crews(self, seats: Sequence[Any], decoders: int, encoders: int) -> list[Crew[Any, Any]]:
        """The chain in one piece, or with threads before and behind those that cut."""
        if not decoders and not encoders:
            return [Crew("cutter", self.whole, seats)]
        decoder = Crew("decoder", self.decoding, [((), 0)] * decoders, _bytes_of_image)
        encoder = Crew("encoder", self.encoding, [((), 0)] * encoders)
        if not encoders:
            return [decoder, Crew("cutter", self.cutting_and_encoding, seats)]
        if not decoders:
            return [Crew("cutter", self.decoding_and_cutting, seats, _bytes_of_cutout), encoder]
        return [decoder, Crew("cutter", self.cutting, seats, _bytes_of_cutout), encoder]


def _bytes_of_image(image: LoadedImage | Animation) -> int:
    if isinstance(image, Animation):  # the frames that follow are not there yet
        image = image.first
    return image.rgb.nbytes + (0 if image.alpha is None else image.alpha.nbytes)


def _bytes_of_cutout(cutout: Cutout | Rendered) -> int:
    if isinstance(cutout, Rendered):
        return sum(map(len, cutout.parts))
    return _bytes_of_image(cutout.image) + cutout.alpha.nbytes
