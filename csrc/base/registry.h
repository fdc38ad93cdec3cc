#pragma once
#include <cstring>

#include "base/isa.h"
#include "base/op.h"

// How a family registers its kernels. Its <family>.inc has one line per kernel, best first:
//     HADES_KERNEL(rms_norm_f32, NormRows, avx512)
// which says that hades::avx512::rms_norm_f32 has the function type hades::NormRows. The header
// includes the .inc to declare them, the .cpp to list them; tests and benchmarks read that list.
namespace hades {

using AnyFn = void (*)();

struct KernelEntry {
    const char* function;
    const char* name;  // "<function>_<tier>"
    IsaMask required;
    AnyFn fn;
};

#define HADES_KERNEL_ENTRY(function, type, tier_name)      \
    {#function, #function "_" #tier_name, tier::tier_name, \
     reinterpret_cast<AnyFn>(static_cast<type*>(&tier_name::function))},

struct Family {
    const char* name;
    const OpEntry* ops;
    int op_count;
    const KernelEntry* kernels;
    int kernel_count;
};

template <int Ops, int Kernels>
Family make_family(const char* name, const OpEntry (&ops)[Ops],
                   const KernelEntry (&kernels)[Kernels]) {
    return {name, ops, Ops, kernels, Kernels};
}

// The first kernel of that function whose features are allowed. Every function has a scalar kernel,
// so that there always is one.
template <class Function, int N>
Function* select(const KernelEntry (&kernels)[N], const char* function, IsaMask allowed,
                 const char** name) {
    for (const KernelEntry& kernel : kernels) {
        if (std::strcmp(kernel.function, function) != 0) continue;
        if ((kernel.required & ~allowed) != 0) continue;
        *name = kernel.name;
        return reinterpret_cast<Function*>(kernel.fn);
    }
    return nullptr;
}

}  // namespace hades
