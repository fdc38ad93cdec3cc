#include "kernels/qconv/plan.h"

namespace hades {
namespace {

// Of a second-level cache of 1 MiB, or 512 KiB on AMD.
constexpr ChunkSize kChunkSize = {192 << 10, 4e6, 28};
constexpr int64_t kMergedChannels = 8;  // below, a row of taps is too short a loop by channels
constexpr int64_t kSlack = 64;          // the last quad may end behind what is staged

// Of a pixel of the input, and of the output beside it.
int64_t pixel_bytes(const ConvShape& s) { return s.ic + s.oc / (s.stride_h * s.stride_w); }

// Whether pixels so far apart share cache sets.
bool aliases(const ConvShape& s, int64_t pixel) { return pixel * s.stride_w % 2048 == 0; }

// Bytes between staged pixels.
int64_t staged_pitch(const ConvShape& s, bool merged_taps, bool wide) {
    const int64_t bytes = wide ? 2 * s.ic : s.ic;
    if (merged_taps) return bytes;
    const int64_t pitch = round_up(bytes, 4);
    return aliases(s, pitch) ? pitch + 64 : pitch;
}

// Whether no output needs columns outside the image, and no quad ends outside its pixel.
bool reads_in_place(const ConvShape& s, bool merged_taps) {
    const int64_t last = input_extent(s.out_width, s.kernel_w, s.stride_w, s.dilation_w);
    return !merged_taps && s.ic % 4 == 0 && s.pad_left == 0 && last <= s.width &&
           !aliases(s, s.x_pixel);
}

}  // namespace

QconvPlan plan_qconv(const ConvShape& s, const QconvKernel& kernel, bool wide) {
    QconvPlan plan = {};
    plan.block = kernel.lanes * kernel.vectors;
    plan.blocks = ceil_div(s.oc, plan.block);
    plan.merged_taps = s.kernel_w > 1 && s.dilation_w == 1 && s.ic <= kMergedChannels;
    plan.wide = wide;
    plan.quads = ceil_div(plan.merged_taps ? s.kernel_w * s.ic : s.ic, wide ? 2 : 4);
    plan.staged = wide || !reads_in_place(s, plan.merged_taps);
    plan.pitch = staged_pitch(s, plan.merged_taps, wide);
    cut_chunks(s, kChunkSize, pixel_bytes(s), &plan);
    if (plan.staged)
        plan.staged_bytes = staged_rows(s, plan) * staged_columns(s, plan) * plan.pitch + kSlack;
    return plan;
}

QconvPlan plan_depthwise(const ConvShape& s, const QconvKernel& kernel) {
    QconvPlan plan = {};
    ConvShape all = s;  // groups run together: one block of all channels
    all.groups = all.oc = 1;
    all.ic = s.groups;
    plan.block = kernel.lanes * kernel.vectors;
    plan.blocks = 1;
    plan.staged = true;
    plan.pitch = round_up(s.groups, plan.block);  // whole vectors are read
    cut_chunks(all, kChunkSize, pixel_bytes(all), &plan);
    plan.padding_bytes = staged_columns(s, plan) * plan.pitch;
    plan.staged_bytes = (staged_rows(s, plan) + 1) * plan.padding_bytes + kSlack;
    return plan;
}

}  // namespace hades
