#define HADES_SCALAR_FUSES  // costly activations give the bits of the vector tiers
#include <cstring>

#include "kernels/qconv/qconv.h"
#include "kernels/qconv/winograd.h"
#include "kernels/tile/winograd_grid.h"
#include "simd/requantize.h"

// The definition of exact Winograd convolutions: every tile and output channel on its own, by the
// matrices of winograd.h.
namespace hades::scalar {
namespace {

constexpr int32_t kInput[kWinogradPatch][kWinogradPatch] = {
    {4, 0, -5, 0, 1, 0},  {0, -4, -4, 1, 1, 0}, {0, 4, -4, -1, 1, 0},
    {0, -2, -1, 2, 1, 0}, {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1}};
constexpr int32_t kOutput[kWinogradOut][kWinogradPatch] = {
    {1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 4}};

// Modulo 2^32, as vectors add.
template <int Rows, int Columns>
struct Square {
    uint32_t v[Rows][Columns];
};
using Patch = Square<kWinogradPatch, kWinogradPatch>;
using Outputs = Square<kWinogradOut, kWinogradOut>;

// matrix x matrix^T
template <int Rows>
Square<Rows, Rows> transform(const int32_t (&matrix)[Rows][kWinogradPatch], const Patch& x) {
    Square<Rows, kWinogradPatch> half = {};
    Square<Rows, Rows> whole = {};
    for (int i = 0; i < Rows; ++i)
        for (int j = 0; j < kWinogradPatch; ++j)
            for (int k = 0; k < kWinogradPatch; ++k)
                half.v[i][j] += static_cast<uint32_t>(matrix[i][k]) * x.v[k][j];
    for (int i = 0; i < Rows; ++i)
        for (int j = 0; j < Rows; ++j)
            for (int k = 0; k < kWinogradPatch; ++k)
                whole.v[i][j] += half.v[i][k] * static_cast<uint32_t>(matrix[j][k]);
    return whole;
}

Patch patch_at(const QconvArgs& a, const TilePlace& place, int64_t channel) {
    const ConvShape& s = a.shape->conv;
    const uint8_t* x = a.x + place.image * s.x_image + channel;
    Patch patch;
    for (int i = 0; i < kWinogradPatch; ++i)
        for (int j = 0; j < kWinogradPatch; ++j) {
            const int64_t r = place.row - s.pad_top + i * s.dilation_h;
            const int64_t c = place.column - s.pad_left + j * s.dilation_w;
            const bool is_inside = r >= 0 && r < s.height && c >= 0 && c < s.width;
            patch.v[i][j] =
                is_inside ? x[r * s.x_row + c * s.x_pixel] : static_cast<uint32_t>(a.shape->x_zero);
        }
    return patch;
}

// The weights of output channel o: `plane` elements from plane to plane, `pair` from pair to pair.
struct Filter {
    const uint8_t* w;
    int64_t plane, pair;

    uint32_t at(int64_t index, int64_t channel) const {
        int16_t weight;
        memcpy(&weight, w + 2 * (index * plane + channel / 2 * pair + channel % 2), sizeof weight);
        return static_cast<uint32_t>(int32_t{weight});
    }
};

Filter filter_of(const QconvArgs& a, int64_t o) {
    const ConvShape& s = a.shape->conv;
    const int64_t first = o / a.plan->block * a.plan->block, left = s.oc - first;
    const int64_t padded_ic = round_up(s.ic, 2);
    return {a.w + 2 * (first * padded_ic + (o - first) * 2), s.oc * padded_ic,
            2 * (left < a.plan->block ? left : a.plan->block)};
}

uint32_t start_of(const QconvArgs& a, int64_t o) {
    uint32_t sum;
    memcpy(&sum, a.w + a.plan->group_bytes - (a.shape->conv.oc - o) * 4, sizeof sum);
    const auto x_zero = static_cast<uint32_t>(a.shape->x_zero);
    return static_cast<uint32_t>(a.bias ? a.bias[o] : 0) - x_zero * sum;
}

// The sums of a slice of input channels.
Outputs sums_of(const QconvArgs& a, const TilePlace& place, int64_t o, int64_t first) {
    const Filter filter = filter_of(a, o);
    const int64_t last = first + a.plan->ic_slice, ic = a.shape->conv.ic;
    Patch products = {};
    for (int64_t channel = first; channel < (last < ic ? last : ic); ++channel) {
        const Patch x = transform(kInput, patch_at(a, place, channel));
        for (int i = 0; i < kWinogradPatch; ++i)
            for (int j = 0; j < kWinogradPatch; ++j)
                products.v[i][j] += x.v[i][j] * filter.at(kWinogradPatch * i + j, channel);
    }
    Outputs sums = transform(kOutput, products);
    for (auto& row : sums.v)
        for (uint32_t& sum : row)
            sum = static_cast<uint32_t>(static_cast<int32_t>(sum * kWinogradInverse) >>
                                        kWinogradShift);
    return sums;
}

// Of all channels, with what is added to every sum of x * w.
Outputs all_sums_of(const QconvArgs& a, const TilePlace& place, int64_t o) {
    Outputs all;
    for (auto& row : all.v)
        for (uint32_t& sum : row) sum = start_of(a, o);
    for (int64_t first = 0; first < a.shape->conv.ic; first += a.plan->ic_slice) {
        const Outputs sums = sums_of(a, place, o, first);
        for (int i = 0; i < kWinogradOut; ++i)
            for (int j = 0; j < kWinogradOut; ++j) all.v[i][j] += sums.v[i][j];
    }
    return all;
}

void finish(const QconvArgs& a, const TilePlace& place, int64_t o, const Outputs& sums) {
    const ConvShape& s = a.shape->conv;
    const Requantize& r = a.shape->requantize;
    for (int i = 0; i < kWinogradOut; ++i)
        for (int j = 0; j < kWinogradOut; ++j) {
            const int64_t row = place.row + i * s.dilation_h;
            const int64_t column = place.column + j * s.dilation_w;
            if (row >= s.out_height || column >= s.out_width) continue;
            const auto sum = static_cast<int32_t>(sums.v[i][j]);
            RequantizeRows to = {};
            to.factor = a.factor + o;
            to.offset = a.offset ? a.offset + o : nullptr;
            to.y = advanced(a.y, r.y_is_bytes,
                            place.image * s.y_image + row * s.y_row + column * s.y_pixel + o);
            if (a.residual)
                to.residual = advanced(a.residual, r.residual_is_bytes,
                                       place.image * s.residual_image + row * s.residual_row +
                                           column * s.residual_pixel + o);
            requantize_rows(r, to, &sum, 1, 1, 1);
        }
}

void run(const QconvArgs& a) {
    const ConvShape& s = a.shape->conv;
    const TileGrid grid = tile_grid(s);
    const int64_t begin = a.chunk.block_begin * a.plan->block;
    const int64_t last = a.chunk.block_end * a.plan->block, end = last < s.oc ? last : s.oc;
    TilePlace place = tile_place(grid, a.chunk.column_begin);
    for (int64_t tile = a.chunk.column_begin; tile < a.chunk.column_end;
         ++tile, step_to_next(grid, &place))
        for (int64_t o = begin; o < end; ++o) finish(a, place, o, all_sums_of(a, place, o));
}

}  // namespace

QconvKernel qconv_winograd_u8() { return {1, 2, false, run}; }

}  // namespace hades::scalar
