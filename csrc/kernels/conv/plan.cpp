#include "kernels/conv/plan.h"

#include <algorithm>

#include "base/rounding.h"
#include "kernels/tile/winograd_tiles.h"

namespace hades {
namespace {

// Of a second-level cache of 1 MiB (512 KiB on AMD), which input rows and sums share.
constexpr int64_t kWeightBytes = 320 << 10;
constexpr int64_t kWeightsAtHand = 128 << 10;  // of a chunk, to be read again for every tile
constexpr int64_t kMergedChannels = 8;  // below, a row of taps is too short a loop by channels
constexpr int64_t kBorderPixels = 28;   // staged at each side of a wide row
constexpr ChunkSize kChunkSize = {384 << 10, 1e6, kBorderPixels};

// Lanes of the dot kernel idle where there are few input channels, and it adds them up for every
// output: what counts is multiply-adds of a vector, with the lanes of the smaller tier.
constexpr int64_t kDotLanes = 8;
constexpr int64_t kDotSum = 8;

// A chunk of the Winograd kernel: 36 planes of tiles by a slice of input channels, and as many of
// tiles by the output channels of a pass, share the second-level cache with weights that stream
// through. Those of many channels would come from further away, so their filters are transformed
// while the kernel runs, for every chunk: they must serve more tiles, and those of a slice and a
// pass share the cache too. A vector of 16 lanes consumes weights twice as fast, and comes with
// twice the cache.
struct WinogradTiles {
    int64_t many, few;
};
constexpr WinogradTiles kWinogradTiles16 = {50, 28};
constexpr WinogradTiles kWinogradTiles8 = {30, 20};
constexpr int64_t kWinogradFarWeights = 4 << 20;  // bytes
constexpr int64_t kWinogradFilters = 2048;        // of a slice and a pass, which is one block
constexpr int64_t kWinogradSlice = 128;
constexpr int64_t kWinogradPass = 64;
constexpr int64_t kWinogradOutputs = 128;
// What a convolution costs, in multiply-adds of the ideal machine per pair of channels, measured on
// both vector tiers: products reach nine tenths of the peak and direct sums eight, a tile of one
// channel takes two hundred cycles per vector to transform, a core gets 3.4 bytes of weights per
// cycle from memory (36 of filters and 144 of transformed ones). Filters that are transformed for
// every chunk take a hundred cycles per vector, and their products, of short slices, reach .55 of
// the peak. Less than a quarter gained is not worth four times the memory, nor sure.
constexpr double kDirectCost = 9 / 0.8;       // per pixel
constexpr double kProductCost = 36 / 0.9;     // per tile
constexpr double kSliceCost = 36 / 0.55;      // the same in short slices
constexpr double kTransformCost = 2 * 200;    // per tile and channel
constexpr double kFilterCost = 2 * 100;       // per chunk
constexpr double kWeightCost = 2 * 36 / 3.4;  // per lane, of filters
constexpr double kLeastGain = 1.25;

// An odd number of cache lines, so that neighbouring pixels spread over all cache sets.
int64_t odd_pitch(int64_t channels) {
    const int64_t lines = ceil_div(channels, kLineFloats);
    return (lines + (lines % 2 == 0)) * kLineFloats;
}

// Pixels 2 KiB apart or a multiple of it fall into two cache sets or one: more of them than those
// hold would evict each other, so they are copied to a better pitch first.
bool aliases(const ConvShape& s) { return (s.x_pixel * s.stride_w) % 512 == 0; }

void choose_segments(const ConvShape& s, bool stage_all, ConvPlan* plan) {
    const int64_t left = std::min(ceil_div(s.pad_left, s.stride_w), s.out_width);
    const int64_t room = s.width - 1 + s.pad_left - (s.kernel_w - 1) * s.dilation_w;
    const int64_t right = std::min(room < 0 ? 0 : room / s.stride_w + 1, s.out_width);
    const bool borders = left > 0 || right < s.out_width;
    plan->segment_count = 1;
    plan->segments[0] = {0, s.out_width, stage_all || borders};
    if (stage_all || !borders || s.out_width < 3 * kBorderPixels) return;
    const int64_t begin = left > 0 ? std::max(left, kBorderPixels) : 0;
    const int64_t tail = right < s.out_width ? kBorderPixels : 0;
    const int64_t end = std::min(right, s.out_width - tail);
    if (end <= begin) return;
    plan->segment_count = 0;
    if (begin > 0) plan->segments[plan->segment_count++] = {0, begin, true};
    plan->segments[plan->segment_count++] = {begin, end, false};
    if (end < s.out_width) plan->segments[plan->segment_count++] = {end, s.out_width, true};
}

void size_scratch(const ConvShape& s, ConvPlan* plan) {
    const int64_t rows = staged_rows(s, *plan);
    plan->staged_elements = 0;
    for (int i = 0; i < plan->segment_count; ++i) {
        const ConvSegment& segment = plan->segments[i];
        const int64_t width = std::min(segment.end - segment.begin, plan->columns_per_chunk);
        if (segment.staged)
            plan->staged_elements +=
                rows * input_extent(width, s.kernel_w, s.stride_w, s.dilation_w) * plan->pitch;
    }
    plan->staged_elements = round_up(plan->staged_elements, 16);
    plan->partial_elements = 0;
    if (plan->ic_slice < s.ic)
        plan->partial_elements =
            plan->rows_per_chunk * plan->columns_per_chunk * plan->blocks_per_chunk * plan->block;
}

void choose_chunks(const ConvShape& s, ConvPlan* plan) {
    cut_chunks(s, kChunkSize, plan->ic_slice * static_cast<int64_t>(sizeof(float)), plan);
    size_scratch(s, plan);
}

bool merges_taps(const ConvShape& s) {
    return s.kernel_w > 1 && s.dilation_w == 1 && s.ic <= kMergedChannels;
}

}  // namespace

int64_t groups_to_join(const ConvShape& s, int lanes) {
    int64_t join = std::min(s.groups, lanes / s.oc);
    while (join > 1 && s.groups % join != 0) --join;
    return std::max<int64_t>(join, 1);
}

ConvPlan plan_direct(const ConvShape& s, int lanes) {
    ConvPlan plan = {};
    plan.block = 2 * lanes;
    plan.blocks = ceil_div(s.oc, plan.block);
    plan.merged_taps = merges_taps(s);
    const int64_t bytes_per_channel =
        s.kernel_h * s.kernel_w * plan.block * static_cast<int64_t>(sizeof(float));
    const int64_t most = std::max<int64_t>(kWeightBytes / bytes_per_channel / 16 * 16, 16);
    plan.ic_slice = s.ic <= most ? s.ic : round_up(even_part(s.ic, most), 16);
    plan.pitch = plan.merged_taps ? s.ic : odd_pitch(plan.ic_slice);
    choose_segments(s, aliases(s) || (plan.merged_taps && s.x_pixel != s.ic), &plan);
    choose_chunks(s, &plan);
    const int64_t weights = plan.blocks_per_chunk * plan.block * s.ic * s.kernel_h * s.kernel_w;
    plan.tiles_before_blocks = plan.ic_slice == s.ic && plan.blocks_per_chunk > 1 &&
                               weights * static_cast<int64_t>(sizeof(float)) <= kWeightsAtHand;
    return plan;
}

bool dot_pays(const ConvShape& s) {
    const int64_t runs = merges_taps(s) ? s.kernel_h : s.kernel_h * s.kernel_w;
    const int64_t taps = s.kernel_h * s.kernel_w;
    const int64_t vectors = runs * ceil_div(taps / runs * s.ic, kDotLanes);
    return s.oc * (vectors + kDotSum) <= taps * s.ic;
}

ConvPlan plan_dot(const ConvShape& s, int) {
    ConvPlan plan = {};
    plan.block = 1;
    plan.blocks = s.oc;
    plan.merged_taps = merges_taps(s);
    plan.ic_slice = s.ic;
    plan.pitch = plan.merged_taps ? s.ic : odd_pitch(s.ic);
    choose_segments(s, plan.merged_taps && s.x_pixel != s.ic, &plan);
    choose_chunks(s, &plan);
    return plan;
}

ConvPlan plan_depthwise(const ConvShape& s, int) {
    ConvPlan plan = {};
    ConvShape all = s;  // groups run together: one block of all channels
    all.groups = 1;
    all.ic = s.groups;
    all.oc = 1;
    plan.block = s.oc;
    plan.blocks = 1;
    plan.ic_slice = s.groups;
    choose_chunks(all, &plan);
    plan.staged_elements = 0;
    return plan;
}

bool transforms_per_run(const ConvShape& s) {
    return kWinogradPlanes * s.ic * s.oc * static_cast<int64_t>(sizeof(float)) >
           kWinogradFarWeights;
}

static int64_t tiles_per_chunk(const ConvShape& s, int lanes) {
    const WinogradTiles& tiles = lanes > 8 ? kWinogradTiles16 : kWinogradTiles8;
    return transforms_per_run(s) ? tiles.many : tiles.few;
}

bool winograd_pays(const ConvShape& s, int lanes) {
    if (!winograd_fits(s)) return false;
    const auto ic = static_cast<double>(s.ic);
    const auto padded_ic = static_cast<double>(round_up(s.ic, lanes));
    const auto padded_oc = static_cast<double>(round_up(s.oc, lanes));
    const auto pixels = static_cast<double>(s.images * s.out_height * s.out_width);
    const auto tiles = static_cast<double>(winograd_tiles(s));
    const double transforms = kTransformCost * (padded_ic + padded_oc) / (ic * padded_oc);
    const double direct = pixels * kDirectCost + lanes * kWeightCost;
    if (!transforms_per_run(s))
        return kLeastGain * (tiles * (kProductCost + transforms) + 4 * lanes * kWeightCost) <=
               direct;
    const auto chunks = static_cast<double>(ceil_div(winograd_tiles(s), tiles_per_chunk(s, lanes)));
    const double filters = chunks * (kFilterCost + lanes * kWeightCost);
    return kLeastGain * (tiles * (kSliceCost + transforms) + filters) <= direct;
}

ConvPlan plan_winograd(const ConvShape& s, int lanes) {
    ConvPlan plan = {};
    plan.block = 2 * lanes;
    plan.blocks = ceil_div(s.oc, plan.block);
    const bool transforms = transforms_per_run(s);
    const int64_t slice = transforms ? kWinogradFilters / plan.block : kWinogradSlice;
    plan.ic_slice = s.ic <= slice ? s.ic : round_up(even_part(s.ic, slice), kLineFloats);
    plan.pitch = round_up(plan.ic_slice, kLineFloats);
    plan.images = plan.groups = 1;
    plan.rows = plan.rows_per_chunk = 1;
    plan.columns = winograd_tiles(s);
    plan.columns_per_chunk = even_part(plan.columns, tiles_per_chunk(s, lanes));
    plan.blocks_per_chunk =
        even_part(plan.blocks, std::max<int64_t>(kWinogradOutputs / plan.block, 1));
    cut_winograd_chunks(&plan);
    even_out(&plan);
    const int64_t pass = transforms ? plan.block : kWinogradPass;
    plan.blocks_per_pass =
        even_part(plan.blocks_per_chunk, std::max<int64_t>(pass / plan.block, 1));
    const bool sliced = plan.ic_slice < s.ic;  // the products of all passes wait for their slices
    const int64_t passes = sliced ? ceil_div(plan.blocks_per_chunk, plan.blocks_per_pass) : 1;
    plan.input_plane = odd_pitch(plan.columns_per_chunk * plan.pitch);
    plan.product_plane = odd_pitch(plan.columns_per_chunk * plan.blocks_per_pass * plan.block);
    if (transforms)
        plan.filter_plane = odd_pitch(plan.blocks_per_pass * plan.block * plan.ic_slice);
    plan.staged_elements = plan.pitch + kWinogradPlanes * (plan.input_plane + plan.filter_plane);
    plan.partial_elements = passes * kWinogradPlanes * plan.product_plane;
    return plan;
}

}  // namespace hades
