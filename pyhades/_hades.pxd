# Declarations of csrc/api/hades.h, nothing else.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libcpp cimport bool as cpp_bool
from libcpp.string cimport string
from libcpp.vector cimport vector

cdef extern from "api/hades.h" namespace "hades" nogil:
    cdef int kMaxRank
    cdef enum class DType(uint8_t):
        pass

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

    uint32_t detect_isa()

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

    cdef cppclass SharedParams "std::shared_ptr<void>":
        void* get()

    cdef cppclass BoundOp:
        SharedParams params
        const char* kernel
        size_t worker_scratch_bytes
        size_t shared_scratch_bytes
        vector[PackRequest] packs
        double flops
        double bytes

    cdef struct KernelEntry:
        const char* function
        const char* name
        uint32_t required

    cdef struct Family:
        const char* name
        const KernelEntry* kernels
        int kernel_count

    vector[Family]& families()
    Status bind(const OpDesc& desc, BoundOp* bound)
    void run_serial(const BoundOp& bound, void* const* operands)

    double measure_peak_gflops(uint32_t allowed, int threads)
    double measure_bandwidth_gbs(uint32_t allowed, int threads)

cdef extern from "base/isa.h" namespace "hades" nogil:
    const Tier kTiers[6]
