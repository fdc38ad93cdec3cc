#include "kernels/bconv/plan.h"

#include <algorithm>

#include "kernels/tile/cut_chunks.h"

namespace hades {
namespace {

// Of a second-level cache of 1 MiB (512 KiB on AMD): input rows share it with packed weights.
constexpr int64_t kInputBytes = 256 << 10;
constexpr int64_t kMergedChannels = 8;  // below, a row of taps is too short a loop by channels
constexpr int64_t kLeastColumns = 28;
constexpr LeastChunk kLeastChunk = {2e6, kLeastColumns};
constexpr int64_t kLineElements = 32;  // of a cache line

void count_chunks(const ConvShape& s, BconvPlan* plan) {
    plan->group_chunks = s.groups;
    plan->row_chunks = ceil_div(s.out_height, plan->rows_per_chunk);
    plan->column_chunks = ceil_div(s.out_width, plan->columns_per_chunk);
    plan->block_chunks = ceil_div(plan->blocks, plan->blocks_per_chunk);
}

// Rows, or pixels of a single row, whose input and output stay in the second-level cache.
void choose_chunks(const ConvShape& s, BconvPlan* plan) {
    plan->blocks_per_chunk = plan->blocks;
    plan->columns_per_chunk = s.out_width;
    const int64_t pixel_bytes = 2 * (s.ic + s.oc / (s.stride_h * s.stride_w));
    const int64_t row_bytes = s.width * pixel_bytes;
    const int64_t halo = (s.kernel_h - 1) * s.dilation_h;
    const int64_t rows = (kInputBytes / row_bytes - halo) / s.stride_h;
    plan->rows_per_chunk = even_part(
        s.out_height, std::clamp<int64_t>(rows, std::min<int64_t>(4, s.out_height), s.out_height));
    if (s.out_height == 1 && row_bytes > kInputBytes)
        plan->columns_per_chunk = even_part(
            s.out_width, std::max<int64_t>(kInputBytes / pixel_bytes / s.stride_w, kLeastColumns));
    cut_for_threads(s, kLeastChunk, plan, [&s](BconvPlan* p) {
        count_chunks(s, p);
        return chunk_count(s, *p);
    });
    plan->rows_per_chunk = even_part(s.out_height, plan->rows_per_chunk);
    plan->columns_per_chunk = even_part(s.out_width, plan->columns_per_chunk);
    plan->blocks_per_chunk = even_part(plan->blocks, plan->blocks_per_chunk);
    count_chunks(s, plan);
}

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

int64_t staged_elements(const ConvShape& s, const BconvPlan& plan) {
    const int64_t rows =
        std::min(input_extent(plan.rows_per_chunk, s.kernel_h, s.stride_h, s.dilation_h), s.height);
    return rows * input_extent(plan.columns_per_chunk, s.kernel_w, s.stride_w, s.dilation_w) *
           plan.pitch;
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
    choose_chunks(s, &plan);
    if (plan.staged) plan.staged_elements = staged_elements(s, plan);
    return plan;
}

int64_t chunk_count(const ConvShape& s, const BconvPlan& plan) {
    return s.images * plan.group_chunks * plan.row_chunks * plan.column_chunks * plan.block_chunks;
}

BconvChunk chunk_at(const ConvShape& s, const BconvPlan& plan, int64_t index) {
    const auto next = [&index](int64_t extent) {
        const int64_t digit = index % extent;
        index /= extent;
        return digit;
    };
    BconvChunk chunk;
    chunk.block_begin = next(plan.block_chunks) * plan.blocks_per_chunk;
    chunk.column_begin = next(plan.column_chunks) * plan.columns_per_chunk;
    chunk.row_begin = next(plan.row_chunks) * plan.rows_per_chunk;
    chunk.group = next(plan.group_chunks);
    chunk.image = index;
    chunk.block_end = std::min(chunk.block_begin + plan.blocks_per_chunk, plan.blocks);
    chunk.column_end = std::min(chunk.column_begin + plan.columns_per_chunk, s.out_width);
    chunk.row_end = std::min(chunk.row_begin + plan.rows_per_chunk, s.out_height);
    return chunk;
}

}  // namespace hades
