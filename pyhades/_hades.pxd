# Declarations of csrc/api/hades.h, nothing else.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cpp_bool
from libcpp.memory cimport shared_ptr
from libcpp.string cimport string
from libcpp.vector cimport vector


cdef extern from "api/hades.h" namespace "hades" nogil:
    cdef enum class DType(uint8_t):
        pass

    size_t size_of(DType dtype)

    cdef struct Tensor:
        DType dtype
        int32_t rank
        int64_t shape[8]
        int64_t strides[8]

    cdef struct Status:
        cpp_bool ok
        char message[256]

    cdef struct Tier:
        const char* name
        uint32_t features

    const Tier kTiers[1]
    const int kTierCount
    uint32_t detect_isa()
    uint32_t emulated_isa()

    cdef enum Domain:
        kFloating
        kInteger
        kBoolean

    cdef struct ElementFunction:
        const char* name
        int operands
        int number
        cpp_bool in_programs
        Domain dtypes
        cpp_bool is_predicate
        cpp_bool is_activation

    const ElementFunction* kElementFunctions

    cdef cppclass Attribute:
        string name
        vector[int64_t] ints
        vector[double] floats
        string text

    cdef cppclass Attributes:
        vector[Attribute] items

    cdef cppclass Operand:
        Tensor tensor
        cpp_bool present
        const void* constant

    cdef cppclass OpDesc:
        string op
        vector[Operand] inputs
        vector[Operand] outputs
        Attributes attributes
        uint32_t allowed

    cdef cppclass PackRequest:
        int input
        string layout
        size_t bytes
        void (*pack)(const void* params, const void* source, void* packed)

    cdef struct Cost:
        double flops
        double bytes

    cdef cppclass BoundOp:
        shared_ptr[void] params
        const char* kernel
        size_t worker_scratch_bytes
        size_t shared_scratch_bytes
        vector[PackRequest] packs
        double flops
        double bytes
        Cost (*cost)(const void* params, void* const* operands)

    cdef struct KernelEntry:
        const char* function
        const char* name
        uint32_t required

    cdef struct Family:
        const char* name
        const KernelEntry* kernels
        int kernel_count

    vector[Family]& families()
    cpp_bool has_kernels(const Tier& tier)
    Status bind(const OpDesc& desc, BoundOp* bound) except +

    cdef cppclass Block:
        void* get()

    Block allocate_block(size_t bytes) except +

    cdef cppclass Team "hades::Team":
        Team(int workers) except +
        int workers()

    void call(const BoundOp& bound, vector[void*] operands, const vector[cpp_bool]& is_packed,
              Team& team) except +

    cdef enum class Source "hades::Source":
        memory
        file
        resident

    cdef cppclass Slot:
        string name
        size_t bytes
        cpp_bool is_written

    cdef cppclass Placement:
        int slot
        int64_t offset

    cdef cppclass Instruction:
        string op
        string label
        BoundOp bound

    cdef cppclass Program "hades::Program":
        Program(uint32_t allowed) except +
        int add_constant(const string& key, const void* source, size_t bytes, Source kind) except +
        int add_io(const string& name, size_t bytes) except +
        Status emit(OpDesc desc, const vector[Placement]& operands, const string& label) except +
        Status finish(size_t arena_bytes)
        const vector[Slot]& slots()
        const vector[Instruction]& instructions()
        size_t constant_bytes() except +

    cdef enum class RunResult:
        done
        cancelled
        interrupted

    cdef struct Timing:
        double seconds
        Cost cost

    ctypedef cpp_bool (*Poll)() noexcept

    cdef cppclass Context "hades::Context":
        Context(shared_ptr[const Program] program, shared_ptr[Team] team) except +
        void bind(int slot, void* buffer)
        RunResult run(int first, int last, cpp_bool trace, Poll poll) except +
        void cancel()
        const vector[Timing]& timings()
        void* arena()

    double measure_peak_gflops(uint32_t allowed, int threads)
    double measure_peak_int8_gops(uint32_t allowed, int threads)
    double measure_peak_bf16_gflops(uint32_t allowed, int threads)
    double measure_bandwidth_gbs(
        uint32_t allowed, int threads, int64_t nbytes, int passes)

    cdef enum class QueueResult:
        done
        timeout
        closed
        cancelled

    cdef cppclass WorkQueue "hades::WorkQueue":
        WorkQueue(int nodes, size_t capacity, int64_t most_bytes, const int* distances) except +
        QueueResult push(uint64_t ticket, int64_t nbytes, int node, int milliseconds)
        QueueResult pop(uint64_t* ticket, int node, int milliseconds)
        void give_back(int64_t nbytes)
        cpp_bool drain(uint64_t* ticket)
        void close()
        void cancel()
        int64_t tickets()
        int64_t bytes()

    const int64_t kMostQueueTickets
    const int64_t kMostQueueBytes
