# The queue that connects the threads of a bulk run.

import time

from libc.stdint cimport uint64_t
from libcpp.memory cimport unique_ptr

from pyhades._hades cimport QueueResult, kMostQueueBytes, kMostQueueTickets
from pyhades._hades cimport WorkQueue as NativeWorkQueue

cdef int LONGEST_SLEEP = 50  # milliseconds, after which signals are looked at


cdef class WorkQueue:
    """Tickets, which are numbers, on their way from producers to workers.

    A bounded ring per node; workers take from the ring of their node, then from the others, the nearest
    first. Nobody holds the GIL while waiting.

    ``capacity`` bounds the tickets, ``most_bytes`` the bytes that belong to them, from ``push`` to
    ``give_back``; 0 is as many as can be counted. ``distances`` are those between nodes, row by row.
    """

    cdef unique_ptr[NativeWorkQueue] native
    cdef readonly int nodes
    cdef readonly int64_t capacity
    cdef readonly int64_t most_bytes

    def __init__(self, int64_t capacity, int64_t most_bytes=0, distances=((10,),)):
        if not 1 <= capacity <= kMostQueueTickets:
            raise ArgumentError(f"capacity={capacity} is not 1 to {kMostQueueTickets}")
        if not 0 <= most_bytes <= kMostQueueBytes:
            raise ArgumentError(f"most_bytes={most_bytes} is not 0 to {kMostQueueBytes}")
        cdef vector[int] flat
        for row in distances:
            if len(row) != len(distances):
                raise ArgumentError("distances have a row and a column for each node")
            for distance in row:
                flat.push_back(distance)
        if flat.empty():
            raise ArgumentError("distances are of no nodes; there is at least one")
        self.nodes = len(distances)
        self.capacity = capacity
        self.most_bytes = most_bytes
        cdef int64_t most = most_bytes or kMostQueueBytes
        self.native.reset(new NativeWorkQueue(self.nodes, capacity, most, flat.data()))

    cdef NativeWorkQueue* open(self) except NULL:
        if self.native.get() == NULL:
            raise ClosedError("the queue was never made")
        return self.native.get()

    cdef int check_node(self, int node) except -1:
        if not 0 <= node < self.nodes:
            raise ArgumentError(f"node={node}: there are {self.nodes}")
        return 0

    def push(self, uint64_t ticket, int64_t nbytes=0, int node=0, timeout=None):
        """Put a ticket in; wait for room.

        Returns True, or False where ``timeout`` seconds were not enough. Raises ClosedError where the
        queue is closed, CancelledError where it is cancelled: the ticket stays with the caller.
        """
        self.check_node(node)
        if not 0 <= nbytes <= kMostQueueBytes:
            raise ArgumentError(f"nbytes={nbytes} is not 0 to {kMostQueueBytes}")
        cdef NativeWorkQueue* native = self.open()
        cdef QueueResult result
        cdef int milliseconds
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            milliseconds = sleep_of(end)
            with nogil:
                result = native.push(ticket, nbytes, node, milliseconds)
            if result != QueueResult.timeout:
                break
            if PyErr_CheckSignals() != 0:
                raise_pending()
            if end is not None and time.monotonic() >= end:
                return False
        if result == QueueResult.closed:
            raise ClosedError("the queue is closed")
        if result == QueueResult.cancelled:
            raise CancelledError("the queue was cancelled")
        return True

    def pop(self, int node=0, timeout=None):
        """Take a ticket out; wait for one.

        Returns the ticket, or None where the queue is closed and empty. Raises TimeoutError after
        ``timeout`` seconds, and CancelledError where the queue is cancelled.
        """
        self.check_node(node)
        cdef NativeWorkQueue* native = self.open()
        cdef QueueResult result
        cdef uint64_t ticket = 0
        cdef int milliseconds
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            milliseconds = sleep_of(end)
            with nogil:
                result = native.pop(&ticket, node, milliseconds)
            if result != QueueResult.timeout:
                break
            if PyErr_CheckSignals() != 0:
                raise_pending()
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"no ticket came within {timeout} s")
        if result == QueueResult.closed:
            return None
        if result == QueueResult.cancelled:
            raise CancelledError("the queue was cancelled")
        return ticket

    def give_back(self, int64_t nbytes):
        """The bytes of a ticket are needed no longer."""
        if not 0 <= nbytes <= self.nbytes:
            raise ArgumentError(f"nbytes={nbytes}: only {self.nbytes} are held")
        self.open().give_back(nbytes)

    def drain(self):
        """The tickets that are left after :meth:`cancel`, once nobody pushes any more."""
        cdef uint64_t ticket = 0
        left = []
        while self.open().drain(&ticket):
            left.append(ticket)
        return left

    def close(self):
        """Take nothing more; what is inside can still be popped."""
        self.open().close()

    def cancel(self):
        """Take nothing and give nothing any more."""
        self.open().cancel()

    def __len__(self):
        return self.open().tickets()

    @property
    def nbytes(self):
        """Bytes that tickets hold."""
        return self.open().bytes()

    def __repr__(self):
        return f"WorkQueue({len(self)} of {self.capacity} tickets, {self.nbytes} bytes, {self.nodes} nodes)"


cdef int sleep_of(end):
    """Milliseconds until the next look at signals, or until ``end``."""
    if end is None:
        return LONGEST_SLEEP
    return max(0, min(LONGEST_SLEEP, <int>((end - time.monotonic()) * 1000) + 1))
