# Teams of threads, and single operators run on NumPy arrays.

import threading

from libcpp cimport bool as cpp_bool
from libcpp.memory cimport make_shared, shared_ptr

from pyhades._hades cimport Block, BoundOp, PackRequest, Status, allocate_block, bind
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
_own = threading.local()


def team_of(threads=None):
    """The team that kernels with this number of threads share; None for the default number.

    A team of one is the calling thread itself, which shares it with nobody. So is any team of a thread
    that has called :func:`use_own_teams`.
    """
    if threads is None:
        from pyhades.config import thread_count

        threads = thread_count().count
    elif isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ArgumentError(f"threads={threads!r} must be an integer of at least 1")
    teams = _teams
    if threads == 1 or getattr(_own, "are_all", False):
        teams = _own.__dict__.setdefault("teams", {})
    team = teams.get(threads)
    return team if team is not None else teams.setdefault(threads, Team(threads))


def use_own_teams():
    """From now on the calling thread shares its teams with no other: it waits for nobody's jobs."""
    _own.are_all = True


cdef class Packed:
    """A constant input in the layout that a kernel of one tier wants; goes into ``call`` for it."""

    cdef Block block
    cdef Operand operand
    cdef readonly str layout
    cdef readonly size_t nbytes


def pack(str op, list inputs, list outputs, int index, isa=None):
    """Pack input ``index`` of an operator once, for later calls with that input and tier.

    The other arrays only describe the operator; their data is not touched.
    """
    cdef OpDesc desc
    cdef BoundOp bound
    cdef Buffers buffers = Buffers(len(inputs) + len(outputs))
    cdef void* source = NULL
    cdef Packed packed = Packed()
    desc.op = op.encode()
    desc.allowed = features_of(isa)
    for i, array in enumerate(inputs):
        desc.inputs.push_back(buffers.operand(array, False))
        if i == index:
            source = buffers.views[buffers.count - 1].buf
            desc.inputs[i].constant = source
            packed.operand = desc.inputs[i]
    for array in outputs:
        desc.outputs.push_back(buffers.operand(array, True))
    cdef Status status = bind(desc, &bound)
    if not status.ok:
        raise ArgumentError(status.message.decode())
    if bound.packs.size() != 1 or bound.packs[0].input != index:
        raise ArgumentError(f"{op} does not pack input {index}")
    cdef PackRequest* request = &bound.packs[0]
    packed.layout = request.layout.decode()
    packed.nbytes = request.bytes
    packed.block = allocate_block(request.bytes)
    with nogil:
        request.pack(bound.params.get(), source, packed.block.get())
    return packed


def call(str op, list inputs, list outputs, dict attributes=None, constants=(), threads=None, isa=None):
    """Bind and run one operator of docs/reference/native_operators.md on NumPy arrays.

    An omitted input is None. ``constants`` are the indices of inputs that the kernel may repack;
    a ``Packed`` stands for an input that was packed before.
    Returns the name of the kernel that ran.
    """
    cdef OpDesc desc
    cdef BoundOp bound
    cdef Buffers buffers = Buffers(len(inputs) + len(outputs))
    cdef vector[void*] pointers
    cdef vector[cpp_bool] is_packed
    cdef Packed packed
    cdef Team team = team_of(threads)
    desc.op = op.encode()
    desc.allowed = features_of(isa)
    for index, array in enumerate(inputs):
        if isinstance(array, Packed):
            packed = <Packed>array
            pointers.push_back(packed.block.get())
            desc.inputs.push_back(packed.operand)
            desc.inputs[index].constant = pointers[index]
            is_packed.push_back(True)
            continue
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
    for index, array in enumerate(inputs):
        if isinstance(array, Packed):
            check_layout(array, index, bound)
    with nogil:
        native_call(bound, pointers, is_packed, team.native.get()[0])
    return bound.kernel.decode()


cdef int check_layout(Packed packed, int index, const BoundOp& bound) except -1:
    """Raise unless the bound kernel reads input ``index`` in exactly the layout of ``packed``."""
    for i in range(bound.packs.size()):
        if bound.packs[i].input == index and bound.packs[i].layout.decode() == packed.layout:
            return 0
    raise ArgumentError(
        f"the packed input has layout {packed.layout!r}, which {bound.kernel.decode()} does not "
        "read; pack it for the same isa"
    )
