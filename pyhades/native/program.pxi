# Networks: programs are built by the compiler and run by contexts.

from cpython.memoryview cimport PyMemoryView_FromMemory
from libcpp.utility cimport move

from pyhades._hades cimport Context as NativeContext
from pyhades._hades cimport Instruction as NativeInstruction
from pyhades._hades cimport Placement, Poll, RunResult, Slot, Source
from pyhades._hades cimport Program as NativeProgram
from pyhades._hades cimport Timing as NativeTiming



cdef extern from "Python.h":
    int PyErr_CheckSignals() noexcept
    enum:
        PyBUF_WRITE


SOURCES = {"memory": <int>Source.memory, "file": <int>Source.file, "resident": <int>Source.resident}


class Instruction(NamedTuple):
    """One line of a program's listing."""

    op: str
    label: str
    kernel: str
    flops: float
    bytes: float
    is_most: bool  # calls may cost less than flops and bytes


class Timing(NamedTuple):
    """What an instruction took in a traced run, and what that call needed."""

    seconds: float
    flops: float
    bytes: float


cdef class ProgramBuilder:
    """Collects the instructions of a network; every ``emit`` binds a kernel at once.

    An operand is ``(slot, byte offset, dtype name, shape, strides in elements)`` or None.
    """

    ARENA = 0

    cdef shared_ptr[NativeProgram] native
    cdef dict sources
    cdef dict residents
    cdef str tier

    def __cinit__(self, isa=None):
        self.tier = tier_name(isa)
        self.native = make_shared[NativeProgram](features_of(isa))
        self.sources = {}
        self.residents = {}

    cdef NativeProgram* open(self) except NULL:
        if self.native.get() == NULL:
            raise ClosedError("the program is built; begin a new ProgramBuilder")
        return self.native.get()

    def constant(self, data, str key, str source="memory"):
        """Slot of a C-contiguous constant.

        ``key`` identifies the *content* process-wide (equal keys share packed copies), so derive it
        from the file and the offset in it, or from a hash of the data. ``source`` is "memory", or "file" for
        data in a read-only mapping, whose pages are released once packed, or "resident" for data that the
        kernels read where it lies, now and whenever the program runs.
        """
        if source not in SOURCES:
            raise ArgumentError(f"source={source!r}: expected one of {', '.join(SOURCES)}")
        cdef Buffers buffers = Buffers(1)
        cdef Py_buffer* view = buffers.hold(data, PyBUF_SIMPLE)
        cdef int slot = self.open().add_constant(key.encode(), view.buf, view.len, <Source><int>SOURCES[source])
        (self.residents if source == "resident" else self.sources)[slot] = buffers
        return slot

    def io(self, str name, size_t nbytes):
        """Slot of a buffer that is bound when the program runs."""
        return self.open().add_io(name.encode(), nbytes)

    def emit(self, str op, list inputs, list outputs, dict attributes, str label):
        """Append an instruction and return its index; ArgumentError names ``label``."""
        cdef OpDesc desc
        cdef vector[Placement] placements
        desc.op = op.encode()
        for operand in inputs:
            desc.inputs.push_back(operand_of(operand))
            placements.push_back(placement_of(operand))
        for operand in outputs:
            desc.outputs.push_back(operand_of(operand))
            placements.push_back(placement_of(operand))
        set_attributes(&desc, attributes)
        cdef Status status = self.open().emit(move(desc), placements, label.encode())
        if not status.ok:
            raise ArgumentError(status.message.decode(errors="replace"))
        return self.native.get().instructions().size() - 1

    def build(self, size_t arena_bytes):
        """The finished program; the sources of constants may go away after this."""
        cdef Status status = self.open().finish(arena_bytes)
        if not status.ok:
            raise ArgumentError(status.message.decode())
        cdef Program program = Program.__new__(Program)
        program.native = <shared_ptr[const NativeProgram]>self.native
        program.arena_bytes = arena_bytes
        program.isa = self.tier
        program.residents = self.residents
        self.native.reset()
        self.sources.clear()
        return program


cdef Operand operand_of(description) except *:
    cdef Operand operand
    operand.present = description is not None
    operand.constant = NULL
    if description is None:
        return operand
    _, _, dtype, shape, strides = description
    if len(shape) > MAX_RANK or len(shape) != len(strides):
        raise ArgumentError(f"an operand has shape {shape} and strides {strides}")
    operand.tensor.dtype = dtype_of(dtype)
    operand.tensor.rank = len(shape)
    for axis in range(len(shape)):
        operand.tensor.shape[axis] = shape[axis]
        operand.tensor.strides[axis] = strides[axis]
    return operand


cdef Placement placement_of(description) except *:
    cdef Placement placement
    placement.slot = -1
    placement.offset = 0
    if description is not None:
        placement.slot = description[0]
        placement.offset = description[1]
    return placement


cdef class Program:
    """An immutable list of bound instructions and the constants that they read."""

    cdef shared_ptr[const NativeProgram] native
    cdef readonly size_t arena_bytes
    cdef readonly str isa
    cdef dict residents  # keeps their memory alive

    def __init__(self):
        raise TypeError("programs are made by ProgramBuilder.build")

    @property
    def instructions(self):
        """The listing: a list of :class:`Instruction`."""
        cdef const NativeInstruction* instruction
        listing = []
        for i in range(self.native.get().instructions().size()):
            instruction = &self.native.get().instructions()[i]
            listing.append(Instruction(
                instruction.op.decode(), instruction.label.decode(),
                instruction.bound.kernel.decode(), instruction.bound.flops, instruction.bound.bytes,
                instruction.bound.cost != NULL,
            ))
        return listing

    @property
    def constant_bytes(self):
        """Bytes of packed constants, each counted once."""
        return self.native.get().constant_bytes()


cdef cpp_bool has_signal() noexcept with gil:
    # A Python handler that raises leaves its exception set; run() lets it out.
    return PyErr_CheckSignals() != 0


cdef timing_of(NativeTiming timing):
    return Timing(timing.seconds, timing.cost.flops, timing.cost.bytes)


cdef int raise_pending() except -1:
    return -1


cdef class Context:
    """Runs a program: owns its arena and the bindings of its io slots.

    Calls from several threads take turns; use two contexts (on two teams) to run at the same time.
    """

    cdef shared_ptr[NativeContext] native
    cdef readonly Program program
    cdef readonly Team team
    cdef Buffers bound
    cdef object turn
    cdef int process

    def __init__(self, Program program not None, Team team not None):
        self.program = program
        self.team = team
        self.turn = threading.Lock()
        self.process = os.getpid()
        self.native = make_shared[NativeContext](program.native, team.native)

    cdef NativeContext* open(self) except NULL:
        if self.native.get() == NULL:
            raise ClosedError("the context is closed")
        return self.native.get()

    cdef int hold_bindings(self, dict bindings) except -1:
        cdef Buffers buffers = Buffers(len(bindings))
        cdef Py_buffer* view
        cdef const Slot* slot
        for index, buffer in bindings.items():
            if not 0 < index < self.program.native.get().slots().size():
                raise ArgumentError(f"slot {index} does not exist")
            slot = &self.program.native.get().slots()[index]
            view = buffers.hold(buffer, PyBUF_WRITABLE if slot.is_written else PyBUF_SIMPLE)
            if <size_t>view.len < slot.bytes:
                raise ArgumentError(
                    f"{slot.name.decode()} needs a buffer of {slot.bytes} bytes, not {view.len}"
                )
            self.native.get().bind(index, view.buf)
        self.bound = buffers
        return 0

    def run(self, dict bindings=None, int first=0, int last=-1):
        """Run instructions ``first`` to ``last`` (exclusive; -1: to the end) without the GIL.

        ``bindings`` gives all io slots their C-contiguous buffers, ``{slot: array}``; without it those
        of the last run stay. Raises CancelledError after :meth:`cancel`, KeyboardInterrupt on Ctrl-C.
        """
        self._run(bindings, first, last, False)

    def trace(self, dict bindings=None):
        """Run everything and return a list of :class:`Timing`, one per instruction."""
        return self._run(bindings, 0, -1, True)

    cdef _run(self, dict bindings, int first, int last, bint trace):
        cdef NativeContext* native = self.open()
        cdef RunResult result = RunResult.done
        cdef Poll poll = NULL
        cdef int count = self.program.native.get().instructions().size()
        if threading.current_thread() is threading.main_thread():
            poll = has_signal
        if last < 0:
            last = count
        if not 0 <= first <= last <= count:
            raise ArgumentError(f"instructions {first} to {last} are not within 0 to {count}")
        if self.process != os.getpid():  # forked, perhaps while another thread was running
            self.turn = threading.Lock()
            self.process = os.getpid()
        with self.turn:
            if bindings is not None:
                self.hold_bindings(bindings)
            elif self.bound is None:
                raise ArgumentError("the first run needs bindings")
            with nogil:
                result = native.run(first, last, trace, poll)
            if result == RunResult.interrupted:
                raise_pending()
            if result == RunResult.cancelled:
                raise CancelledError("the run was cancelled")
            if not trace:
                return None
            return [timing_of(native.timings()[i]) for i in range(native.timings().size())]

    def cancel(self):
        """Stop the run in progress, if any, after its current instruction."""
        self.open().cancel()

    @property
    def arena(self):
        """The arena as a writable memoryview of bytes; valid until :meth:`close`."""
        return PyMemoryView_FromMemory(
            <char*>self.open().arena(), self.program.arena_bytes, PyBUF_WRITE
        )

    def close(self):
        """Free the arena. The context cannot be used afterwards."""
        with self.turn:
            self.native.reset()
            self.bound = None
