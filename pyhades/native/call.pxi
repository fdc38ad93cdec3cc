# Teams of threads, and single operators run on NumPy arrays.

from libcpp cimport bool as cpp_bool
from libcpp.memory cimport make_shared, shared_ptr

from pyhades._hades cimport BoundOp, Status, bind
from pyhades._hades cimport Team as NativeTeam
from pyhades._hades cimport call as native_call


cdef class Team:
    """A group of worker threads; the calling thread is one of them.

    Threads start at the first use. Callers from several threads take turns.
    """

    cdef shared_ptr[NativeTeam] native

    def __cinit__(self, int threads):
        if threads < 1:
            raise ArgumentError(f"threads={threads} must be at least 1")
        self.native = make_shared[NativeTeam](threads)

    @property
    def threads(self):
        """Number of workers, the caller included."""
        return self.native.get().workers()

    def __repr__(self):
        return f"Team(threads={self.threads})"


_teams = {}


def team_of(threads=None):
    """The team that kernels with this number of threads share; None for the default number."""
    if threads is None:
        from pyhades.config import thread_count

        threads = thread_count().count
    elif isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ArgumentError(f"threads={threads!r} must be an integer of at least 1")
    team = _teams.get(threads)
    return team if team is not None else _teams.setdefault(threads, Team(threads))


def call(str op, list inputs, list outputs, dict attributes=None, constants=(), threads=None, isa=None):
    """Bind and run one operator of docs/reference/native_operators.md on NumPy arrays.

    An omitted input is None. ``constants`` are the indices of inputs that the kernel may repack.
    Returns the name of the kernel that ran.
    """
    cdef OpDesc desc
    cdef BoundOp bound
    cdef Buffers buffers = Buffers(len(inputs) + len(outputs))
    cdef vector[void*] pointers
    cdef vector[cpp_bool] is_packed
    cdef Team team = team_of(threads)
    desc.op = op.encode()
    desc.allowed = features_of(isa)
    for index, array in enumerate(inputs):
        desc.inputs.push_back(buffers.operand(array, False))
        pointers.push_back(NULL if array is None else buffers.views[buffers.count - 1].buf)
        if index in constants:
            desc.inputs[index].constant = pointers[index]
        is_packed.push_back(False)
    for array in outputs:
        desc.outputs.push_back(buffers.operand(array, True))
        pointers.push_back(buffers.views[buffers.count - 1].buf)
    set_attributes(&desc, attributes)

    cdef Status status = bind(desc, &bound)
    if not status.ok:
        raise ArgumentError(status.message.decode())
    with nogil:
        native_call(bound, pointers, is_packed, team.native.get()[0])
    return bound.kernel.decode()
