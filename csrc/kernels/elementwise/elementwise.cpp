#include "kernels/elementwise/elementwise.h"

#include "base/registry.h"
#include "kernels/elementwise/bind.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/elementwise/elementwise.inc"
#undef HADES_KERNEL
};

const OpEntry kOps[] = {{"map", bind_map},       {"scale_shift", bind_scale_shift},
                        {"unary", bind_unary},   {"binary", bind_binary},
                        {"select", bind_select}, {"cast", bind_cast}};

}  // namespace

AnyFn select_elementwise(const char* function, IsaMask allowed, const char** name) {
    return reinterpret_cast<AnyFn>(select<void()>(kKernels, function, allowed, name));
}

Family elementwise_family() { return make_family("elementwise", kOps, kKernels); }

}  // namespace hades
