#include "base/loop_nest.h"

#include <algorithm>

namespace hades {
namespace {

// Whether `outer` and the axis after it advance every operand as one axis would.
bool mergeable(const LoopNest& nest, int outer) {
    for (int o = 0; o < nest.operands; ++o) {
        const int64_t* strides = nest.strides[o];
        if (strides[outer] != strides[outer + 1] * nest.extents[outer + 1]) return false;
    }
    return true;
}

void erase_axis(LoopNest* nest, int axis) {
    for (int next = axis + 1; next < nest->rank; ++next) {
        nest->extents[next - 1] = nest->extents[next];
        for (int o = 0; o < nest->operands; ++o)
            nest->strides[o][next - 1] = nest->strides[o][next];
    }
    --nest->rank;
}

// Largest output stride first; ties keep their order.
void order_axes(const Tensor& output, int* axes, int count) {
    std::stable_sort(axes, axes + count, [&](int left, int right) {
        return std::abs(output.strides[left]) > std::abs(output.strides[right]);
    });
}

}  // namespace

double touched_bytes(const Tensor& tensor) {
    double bytes = static_cast<double>(size_of(tensor.dtype));
    for (int axis = 0; axis < tensor.rank; ++axis)
        if (tensor.strides[axis] != 0) bytes *= static_cast<double>(tensor.shape[axis]);
    return bytes;
}

LoopNest make_loop_nest(const Tensor* const* tensors, int operands) {
    const Tensor& output = *tensors[operands - 1];
    LoopNest nest = {};
    nest.operands = operands;
    nest.count = element_count(output);
    int axes[kMaxRank];
    int kept = 0;
    for (int axis = 0; axis < output.rank; ++axis)
        if (output.shape[axis] != 1) axes[kept++] = axis;
    order_axes(output, axes, kept);
    nest.rank = kept;
    for (int i = 0; i < kept; ++i) {
        nest.extents[i] = output.shape[axes[i]];
        for (int o = 0; o < operands; ++o) nest.strides[o][i] = tensors[o]->strides[axes[i]];
    }
    for (int axis = nest.rank - 2; axis >= 0; --axis) {
        if (!mergeable(nest, axis)) continue;
        nest.extents[axis + 1] *= nest.extents[axis];
        erase_axis(&nest, axis);
    }
    if (nest.rank == 0) {
        nest.rank = 1;
        nest.extents[0] = nest.count;
    }
    return nest;
}

}  // namespace hades
