#include <algorithm>

#include "kernels/qconv/plan.h"
#include "kernels/qconv/winograd.h"
#include "kernels/qconv/winograd_pack.h"

namespace hades {
namespace {

// A chunk: 36 planes of tiles by a slice of input channels, and as many of tiles by the output
// channels of a pass, share the second-level cache with weights that stream through. Weights of
// many channels come from further away, or are transformed on the way, and must serve more tiles.
// The numbers are multiples of what the products take at once.
struct Tiles {
    int64_t many, few;
};
constexpr Tiles kTiles16 = {28, 28};
constexpr Tiles kTiles8 = {30, 18};
constexpr int64_t kSlice = 256;
constexpr int64_t kOutputs = 128;

// Weights that are kept transformed come from memory eight times larger than they are. Those that
// only some chunks of tiles read, or that no cache would hold between two of them, are transformed
// by every chunk.
constexpr int64_t kFewChunks = 4;
constexpr int64_t kKeptWeights = 2 << 20;  // bytes
constexpr int64_t kWeightSlice = 128;
constexpr int64_t kLateOutputs = 256;

// What a convolution costs, in cycles, measured: products of pairs of channels that are made per
// cycle, by Winograd's algorithm and directly; a vector of channels of a tile to transform, of the
// input and of the output; a pair of channels of the weights to transform; bytes of weights that
// come from memory per cycle. For vectors of 8 channels, and of 16 where sums of products of bytes
// saturate and where they do not.
struct Rates {
    double products, direct, input, output, weights;
};
constexpr Rates kNarrow = {19.5, 18, 230, 360, 2.6};
constexpr Rates kWide = {23, 28, 250, 380, 2};
constexpr Rates kWideExact = {42, 90, 250, 380, 2};
constexpr double kMemory = 3.4;
// Direct sums go through the first-level cache before a residual is added: of a vector of outputs.
constexpr double kResidual = 14;
constexpr double kOneVector = 0.8;   // of the direct rate, where blocks of outputs are so narrow
constexpr double kLeastGain = 1.05;  // less is not worth the risk of a wrong guess

const Rates& rates_of(const QconvKernel& direct) {
    if (direct.lanes <= 8) return kNarrow;
    return direct.saturates ? kWide : kWideExact;
}

// An odd number of cache lines, so that neighbouring planes spread over all cache sets.
int64_t odd_lines(int64_t bytes) {
    const int64_t lines = ceil_div(bytes, kLineBytes);
    return (lines + (lines % 2 == 0)) * kLineBytes;
}

int64_t weight_bytes(const ConvShape& s) {
    return kWinogradPlanes * s.ic * s.oc * static_cast<int64_t>(sizeof(int16_t));
}

// Products of the direct kernel for a pair of channels: it skips rows of taps outside the image.
double direct_products(const ConvShape& s) {
    int64_t taps = 0;
    for (int64_t row = 0; row < s.out_height; ++row) {
        const ConvTapRange inside =
            taps_inside(row, s.stride_h, s.pad_top, s.dilation_h, s.kernel_h, s.height);
        taps += (inside.end - inside.begin) * s.kernel_w;
    }
    return static_cast<double>(s.images * s.out_width * taps);
}

bool transforms_late(const ConvShape& s, const QconvKernel& kernel) {
    const Tiles& tiles = kernel.lanes > 8 ? kTiles16 : kTiles8;
    return kernel.lanes > 1 &&
           (weight_bytes(s) > kKeptWeights || winograd_tiles(s) <= kFewChunks * tiles.many);
}

int64_t tiles_per_chunk(const ConvShape& s, const QconvKernel& kernel) {
    const Tiles& tiles = kernel.lanes > 8 ? kTiles16 : kTiles8;
    return transforms_late(s, kernel) ? tiles.many : tiles.few;
}

}  // namespace

bool winograd_pays(const ConvShape& s, const QconvKernel& direct) {
    if (!winograd_fits(s) || direct.lanes == 1) return false;
    const Rates& rates = rates_of(direct);
    const bool late = transforms_late(s, direct);
    const auto pairs = static_cast<double>(s.ic * s.oc);
    const auto tiles = static_cast<double>(winograd_tiles(s));
    const auto pixels = static_cast<double>(s.images * s.out_height * s.out_width);
    const auto inputs = static_cast<double>(ceil_div(s.ic, 2 * direct.lanes));
    const auto outputs = static_cast<double>(ceil_div(s.oc, direct.lanes));
    const auto chunks =
        static_cast<double>(ceil_div(winograd_tiles(s), tiles_per_chunk(s, direct)));
    const double tile =
        kWinogradPlanes * pairs / rates.products + rates.input * inputs + rates.output * outputs;
    const double weights = late ? pairs * (kWinogradTaps / kMemory + chunks * rates.weights)
                                : static_cast<double>(weight_bytes(s)) / kMemory;
    const double rate = rates.direct * (s.oc <= direct.lanes ? kOneVector : 1);
    const double direct_cost = pairs * (direct_products(s) / rate + kWinogradTaps / kMemory) +
                               (s.residual_pixel != 0 ? kResidual * pixels * outputs : 0);
    return kLeastGain * (tiles * tile + weights) <= direct_cost;
}

QconvPlan plan_winograd(const ConvShape& s, const QconvKernel& kernel, const int8_t* weights) {
    QconvPlan plan = {};
    plan.block = kernel.lanes * kernel.vectors;
    plan.blocks = ceil_div(s.oc, plan.block);
    const int64_t words = 2 * kernel.lanes;
    plan.ic_slice = winograd_slice(weights, s, kSlice, words);
    plan.pitch = round_up(plan.ic_slice, words);
    plan.images = plan.groups = 1;
    plan.rows = plan.rows_per_chunk = 1;
    plan.columns = winograd_tiles(s);
    const bool late = transforms_late(s, kernel);
    plan.columns_per_chunk = even_part(plan.columns, tiles_per_chunk(s, kernel));
    plan.blocks_per_chunk =
        even_part(plan.blocks, std::max<int64_t>((late ? kLateOutputs : kOutputs) / plan.block, 1));
    cut_winograd_chunks(&plan);
    even_out(&plan);
    plan.blocks_per_pass =
        even_part(plan.blocks_per_chunk, std::max<int64_t>(kWinogradPass / plan.block, 1));
    const int64_t input_bytes = odd_lines(plan.columns_per_chunk * plan.pitch * 2);
    const int64_t product_bytes =
        odd_lines(plan.columns_per_chunk * plan.blocks_per_pass * plan.block * 4);
    plan.input_plane = input_bytes / 2;
    plan.product_plane = product_bytes / 4;
    plan.padding_bytes = round_up(s.ic, kLineBytes);
    plan.staged_bytes = plan.padding_bytes + kWinogradPlanes * input_bytes;
    plan.product_bytes = kWinogradPlanes * product_bytes;
    if (late) {
        plan.weight_slice = std::min(plan.pitch, kWeightSlice);
        const int64_t weight_plane = odd_lines(plan.weight_slice * plan.block * 2);
        plan.weight_plane = weight_plane / 2;
        plan.late_weight_bytes = kWinogradPlanes * weight_plane;
    }
    if (plan.ic_slice < s.ic)
        plan.sum_bytes = kWinogradOut * kWinogradOut * 4 * plan.columns_per_chunk *
                         plan.blocks_per_chunk * plan.block;
    return plan;
}

}  // namespace hades
