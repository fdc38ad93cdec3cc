#include "runtime/op_table.h"

#include <cstring>

#include "kernels/families.h"

namespace hades {

std::vector<Family>& families() {
    static std::vector<Family> all = {
#define HADES_FAMILY(name) name##_family(),
#include "kernels/families.inc"
#undef HADES_FAMILY
    };
    return all;
}

bool has_kernels(const Tier& tier) {
    for (const Family& family : families())
        for (int i = 0; i < family.kernel_count; ++i)
            if (family.kernels[i].required == tier.features) return true;
    return false;
}

Status bind(const OpDesc& desc, BoundOp* bound) {
    for (const Family& family : families())
        for (int i = 0; i < family.op_count; ++i)
            if (desc.op == family.ops[i].op) return family.ops[i].bind(desc, bound);
    return invalid("no kernel family implements the operator \"%s\"", desc.op.c_str());
}

}  // namespace hades
