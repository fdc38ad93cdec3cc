#include "kernels/bconv/plan.h"

namespace hades {
namespace {

// Of a second-level cache of 1 MiB, or 512 KiB on AMD.
constexpr ChunkSize kChunkSize = {256 << 10, 2e6, 28};
constexpr int64_t kMergedChannels = 8;  // below, a row of taps is too short a loop by channels
constexpr int64_t kLineElements = 32;   // of a cache line

// Whether a row of taps is one run. It has to end with a whole pair: half of one would multiply the
// pixel behind it by zero, which may be infinite.
bool merges_taps(const ConvShape& s) {
    return s.kernel_w > 1 && s.dilation_w == 1 && s.ic <= kMergedChannels &&
           s.kernel_w * s.ic % 2 == 0;
}

// Whether pixels so far apart share cache sets.
bool aliases(const ConvShape& s, int64_t pixel) { return pixel * s.stride_w % 1024 == 0; }

// Elements between staged pixels.
int64_t staged_pitch(const ConvShape& s, bool merged_taps) {
    if (merged_taps) return s.ic;
    const int64_t pitch = round_up(s.ic, 2);
    return aliases(s, pitch) ? pitch + kLineElements : pitch;
}

// Whether no output needs columns outside the image, and no pair ends outside its pixel.
bool reads_in_place(const ConvShape& s, bool merged_taps) {
    const int64_t last = input_extent(s.out_width, s.kernel_w, s.stride_w, s.dilation_w);
    return !merged_taps && s.ic % 2 == 0 && s.pad_left == 0 && last <= s.width &&
           !aliases(s, s.x_pixel);
}

}  // namespace

BconvPlan plan_bconv(const ConvShape& s, const BconvKernel& kernel) {
    BconvPlan plan = {};
    plan.block = kernel.lanes * kernel.vectors;
    plan.blocks = ceil_div(s.oc, plan.block);
    plan.merged_taps = merges_taps(s);
    plan.pairs = ceil_div(plan.merged_taps ? s.kernel_w * s.ic : s.ic, 2);
    plan.staged = !reads_in_place(s, plan.merged_taps);
    plan.pitch = staged_pitch(s, plan.merged_taps);
    const int64_t pixel_bytes = 2 * (s.ic + s.oc / (s.stride_h * s.stride_w));  // and the output's
    cut_chunks(s, kChunkSize, pixel_bytes, &plan);
    if (plan.staged)
        plan.staged_elements = staged_rows(s, plan) * staged_columns(s, plan) * plan.pitch;
    return plan;
}

}  // namespace hades
