#include "kernels/qconv/plan.h"

#include <algorithm>

#include "kernels/tile/cut_chunks.h"

namespace hades {
namespace {

// Of a second-level cache of 1 MiB (512 KiB on AMD): input rows share it with packed weights.
constexpr int64_t kInputBytes = 192 << 10;
constexpr int64_t kMergedChannels = 8;  // below, a row of taps is too short a loop by channels
constexpr int64_t kLeastColumns = 28;
constexpr LeastChunk kLeastChunk = {4e6, kLeastColumns};
constexpr int64_t kSlack = 64;  // the last quad may end behind what is staged

// Rows, or pixels of a single row, whose input stays in the second-level cache.
void choose_chunks(const ConvShape& s, QconvPlan* plan) {
    plan->images = s.images;
    plan->group_chunks = s.groups;
    plan->rows = s.out_height;
    plan->columns = s.out_width;
    plan->blocks_per_chunk = plan->blocks;
    plan->columns_per_chunk = s.out_width;
    const int64_t pixel_bytes = s.ic + s.oc / (s.stride_h * s.stride_w);  // and the output's
    const int64_t row_bytes = s.width * pixel_bytes;
    const int64_t halo = (s.kernel_h - 1) * s.dilation_h;
    const int64_t rows = (kInputBytes / row_bytes - halo) / s.stride_h;
    plan->rows_per_chunk = even_part(
        s.out_height, std::clamp<int64_t>(rows, std::min<int64_t>(4, s.out_height), s.out_height));
    if (s.out_height == 1 && row_bytes > kInputBytes)
        plan->columns_per_chunk = even_part(
            s.out_width, std::max<int64_t>(kInputBytes / pixel_bytes / s.stride_w, kLeastColumns));
    cut_for_threads(s, kLeastChunk, plan, [](QconvPlan* p) {
        count_chunks(p);
        return chunk_count(*p);
    });
    plan->rows_per_chunk = even_part(s.out_height, plan->rows_per_chunk);
    plan->columns_per_chunk = even_part(s.out_width, plan->columns_per_chunk);
    plan->blocks_per_chunk = even_part(plan->blocks, plan->blocks_per_chunk);
    count_chunks(plan);
}

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

int64_t staged_rows(const ConvShape& s, const QconvPlan& plan) {
    return std::min(input_extent(plan.rows_per_chunk, s.kernel_h, s.stride_h, s.dilation_h),
                    s.height);
}

int64_t staged_columns(const ConvShape& s, const QconvPlan& plan) {
    return input_extent(plan.columns_per_chunk, s.kernel_w, s.stride_w, s.dilation_w);
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
    choose_chunks(s, &plan);
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
    choose_chunks(all, &plan);
    plan.padding_bytes = staged_columns(s, plan) * plan.pitch;
    plan.staged_bytes = (staged_rows(s, plan) + 1) * plan.padding_bytes + kSlack;
    return plan;
}

void count_chunks(QconvPlan* plan) {
    plan->row_chunks = ceil_div(plan->rows, plan->rows_per_chunk);
    plan->column_chunks = ceil_div(plan->columns, plan->columns_per_chunk);
    plan->block_chunks = ceil_div(plan->blocks, plan->blocks_per_chunk);
}

QconvChunk chunk_at(const QconvPlan& plan, int64_t index) {
    const auto next = [&index](int64_t extent) {
        const int64_t digit = index % extent;
        index /= extent;
        return digit;
    };
    QconvChunk chunk;
    chunk.block_begin = next(plan.block_chunks) * plan.blocks_per_chunk;
    chunk.column_begin = next(plan.column_chunks) * plan.columns_per_chunk;
    chunk.row_begin = next(plan.row_chunks) * plan.rows_per_chunk;
    chunk.group = next(plan.group_chunks);
    chunk.image = index;
    chunk.block_end = std::min(chunk.block_begin + plan.blocks_per_chunk, plan.blocks);
    chunk.column_end = std::min(chunk.column_begin + plan.columns_per_chunk, plan.columns);
    chunk.row_end = std::min(chunk.row_begin + plan.rows_per_chunk, plan.rows);
    return chunk;
}

}  // namespace hades
