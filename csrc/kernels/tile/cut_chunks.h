#pragma once
#include <algorithm>

#include "base/rounding.h"
#include "kernels/tile/conv_shape.h"

// How convolutions of every kind of number cut their work for threads.
namespace hades {

constexpr int64_t kChunks = 32;  // enough to balance a few threads

// Less is not worth a claim.
struct LeastChunk {
    double macs;  // some 20 microseconds
    int64_t columns;
};

// The smallest part size that cuts `whole` into as many parts as `part` does: even parts.
inline int64_t even_part(int64_t whole, int64_t part) {
    return ceil_div(whole, ceil_div(whole, part));
}

inline int64_t input_extent(int64_t out, int64_t kernel, int64_t stride, int64_t dilation) {
    return (out - 1) * stride + (kernel - 1) * dilation + 1;
}

// Cuts chunks until there are enough of them for several threads or they become too small. What is
// halved is the dimension that costs less to visit twice. `count(plan)` brings the counts of chunks
// up to date and returns how many there are.
template <class Plan, class Count>
void cut_for_threads(const ConvShape& s, const LeastChunk& least, Plan* plan, const Count& count) {
    const double macs = static_cast<double>(s.images * s.groups * s.out_height * s.out_width) *
                        static_cast<double>(s.oc * s.ic * s.kernel_h * s.kernel_w);
    const double most = std::min(static_cast<double>(kChunks), macs / least.macs);
    while (static_cast<double>(count(plan)) < most) {
        const bool rows = plan->rows_per_chunk > 1, blocks = plan->blocks_per_chunk > 1;
        const bool columns = plan->columns_per_chunk >= 2 * least.columns;
        const int64_t inputs =
            plan->rows_per_chunk * s.stride_h * plan->columns_per_chunk * s.stride_w * s.ic;
        const int64_t weights =
            plan->blocks_per_chunk * plan->block * s.kernel_h * s.kernel_w * s.ic;
        if (blocks && (weights >= inputs || !(rows || columns)))
            plan->blocks_per_chunk = ceil_div(plan->blocks_per_chunk, 2);
        else if (rows)
            plan->rows_per_chunk = ceil_div(plan->rows_per_chunk, 2);
        else if (columns)
            plan->columns_per_chunk = ceil_div(plan->columns_per_chunk, 2);
        else
            return;
    }
}

}  // namespace hades
