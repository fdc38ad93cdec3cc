#pragma once
#include "base/rounding.h"
#include "kernels/conv/source_generic.h"
#include "kernels/conv/winograd.h"
#include "simd/epilogue.h"

// 3x3 convolution, stride 1, by F(4x4, 3x3); see winograd.h for the points.
//   y = A^T [ (G w G^T) * (B^T x B) ] A, the product * summed over input channels as 36 matrix
//   products of [tiles x ic] with [ic x oc].
// Packed weights: the direct layout with the 36 planes of G w G^T as taps.
// A call takes some tiles and some blocks of output channels. Scratch: planes of transformed input
// [36][tile][ic slice], a zero-padded patch for tiles at the border, and products
// [block][36][tile][o in block]. Planes are an odd number of cache lines apart, so that the 36
// streams of a transform do not share cache sets.
// Instructions: a transform of six values is 12 multiply-adds, twelve of them per tile and vector.
// Numerics: products are summed over ic in order, slice by slice.
namespace hades::HADES_ISA {

constexpr float kNear = static_cast<float>(kWinogradNear);
constexpr float kFar = static_cast<float>(kWinogradFar);
constexpr float kNear2 = kNear * kNear, kFar2 = kFar * kFar;
constexpr float kNear3 = kNear2 * kNear, kFar3 = kFar2 * kFar;

struct Six {
    F32 v[6];
};

// B^T x. The row of a point is the polynomial that vanishes at all other finite points.
HADES_INLINE Six transform_input(const Six& x) {
    const F32 near2 = set1(kNear2), far2 = set1(kFar2);
    const F32 sum = set1(kNear2 + kFar2), product = set1(kNear2 * kFar2);
    const F32 near_even = fnma(far2, x.v[2], x.v[4]), near_odd = fnma(far2, x.v[1], x.v[3]);
    const F32 far_even = fnma(near2, x.v[2], x.v[4]), far_odd = fnma(near2, x.v[1], x.v[3]);
    Six r;
    r.v[0] = fma(product, x.v[0], fnma(sum, x.v[2], x.v[4]));
    r.v[1] = fma(set1(kNear), near_odd, near_even);
    r.v[2] = fnma(set1(kNear), near_odd, near_even);
    r.v[3] = fma(set1(kFar), far_odd, far_even);
    r.v[4] = fnma(set1(kFar), far_odd, far_even);
    r.v[5] = fma(product, x.v[1], fnma(sum, x.v[3], x.v[5]));
    return r;
}

// A^T m: four outputs, in v[0] to v[3].
HADES_INLINE Six transform_output(const Six& m) {
    const F32 near_sum = m.v[1] + m.v[2], near_difference = m.v[1] - m.v[2];
    const F32 far_sum = m.v[3] + m.v[4], far_difference = m.v[3] - m.v[4];
    Six r;
    r.v[0] = m.v[0] + near_sum + far_sum;
    r.v[1] = fma(set1(kFar), far_difference, set1(kNear) * near_difference);
    r.v[2] = fma(set1(kFar2), far_sum, set1(kNear2) * near_sum);
    r.v[3] = fma(set1(kFar3), far_difference, fma(set1(kNear3), near_difference, m.v[5]));
    return r;
}

struct TileGrid {
    int64_t rows, columns;  // of tiles, per image
};

struct TilePlace {
    int64_t image, row, column;  // of the tile's first output
};

HADES_INLINE TileGrid tile_grid(const ConvShape& s) {
    return {ceil_div(s.out_height, kWinogradOut), ceil_div(s.out_width, kWinogradOut)};
}

HADES_INLINE TilePlace tile_place(const TileGrid& grid, int64_t tile) {
    const int64_t in_image = tile % (grid.rows * grid.columns);
    return {tile / (grid.rows * grid.columns), in_image / grid.columns * kWinogradOut,
            in_image % grid.columns * kWinogradOut};
}

// One vector of channels of one tile: x at a 6x6 patch, results `plane` elements apart.
HADES_INLINE void transform_patch(const float* x, int64_t row, int64_t pixel, float* to,
                                  int64_t plane, int lanes) {
    Six columns[6];
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) {
        Six in;
#pragma GCC unroll 6
        for (int i = 0; i < 6; ++i) in.v[i] = load_n(x + i * row + j * pixel, lanes);
        columns[j] = transform_input(in);
    }
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) {
        Six in;
#pragma GCC unroll 6
        for (int j = 0; j < 6; ++j) in.v[j] = columns[j].v[i];
        const Six out = transform_input(in);
#pragma GCC unroll 6
        for (int j = 0; j < 6; ++j) store_n(to + (6 * i + j) * plane, out.v[j], lanes);
    }
}

// Channels [slice, slice + channels) of the tile at `place`; `patch` is scratch for border tiles.
static void transform_tile(const ConvArgs& a, const TilePlace& place, int64_t slice,
                           int64_t channels, float* patch, float* to, int64_t plane) {
    const ConvShape& s = *a.shape;
    const int64_t row = place.row - s.pad_top, column = place.column - s.pad_left;
    const float* x = a.x + place.image * s.x_image + slice;
    int64_t x_row = s.x_row, x_pixel = s.x_pixel;
    if (row >= 0 && column >= 0 && row + kWinogradPatch <= s.height &&
        column + kWinogradPatch <= s.width) {
        x += row * x_row + column * x_pixel;
    } else {
        const int64_t pitch = a.plan->pitch;
        for (int64_t i = 0; i < kWinogradPatch; ++i) {
            float* patch_row = patch + i * kWinogradPatch * pitch;
            if (row + i < 0 || row + i >= s.height)
                clear_floats(patch_row, kWinogradPatch * pitch);
            else
                stage_row(patch_row, x + (row + i) * s.x_row, s, column, column + kWinogradPatch,
                          channels, pitch);
        }
        x = patch;
        x_row = kWinogradPatch * pitch;
        x_pixel = pitch;
    }
    int64_t c = 0;
    for (; c + kLanes <= channels; c += kLanes)
        transform_patch(x + c, x_row, x_pixel, to + c, plane, kLanes);
    if (c < channels)
        transform_patch(x + c, x_row, x_pixel, to + c, plane, lanes_left(c, channels));
}

// One vector of output channels of one tile: inverse transform, epilogue, store.
static void finish_tile(const ConvArgs& a, const TilePlace& place, const float* products,
                        int64_t plane, int64_t channel, int lanes) {
    const ConvShape& s = *a.shape;
    Six columns[6];
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) {
        Six in;
#pragma GCC unroll 6
        for (int i = 0; i < 6; ++i) in.v[i] = load(products + (6 * i + j) * plane);
        columns[j] = transform_output(in);
    }
    F32 sums[kWinogradOut][kWinogradOut];
#pragma GCC unroll 4
    for (int i = 0; i < kWinogradOut; ++i) {
        Six in;
#pragma GCC unroll 6
        for (int j = 0; j < 6; ++j) in.v[j] = columns[j].v[i];
        const Six out = transform_output(in);
#pragma GCC unroll 4
        for (int j = 0; j < kWinogradOut; ++j) sums[i][j] = out.v[j];
    }
    const F32 bias = a.bias ? load_n(a.bias + channel, lanes) : zero();
    float* y = a.y + place.image * s.y_image + place.row * s.y_row + place.column * s.y_pixel;
    const float* residual = a.residual;
    if (residual)
        residual += place.image * s.residual_image + place.row * s.residual_row +
                    place.column * s.residual_pixel + channel;
    for (int64_t i = 0; i < kWinogradOut && place.row + i < s.out_height; ++i) {
        for (int64_t j = 0; j < kWinogradOut && place.column + j < s.out_width; ++j) {
            F32 value = apply(s.epilogue.activation, sums[i][j] + bias);
            if (residual)
                value = value + load_n(residual + i * s.residual_row + j * s.residual_pixel, lanes);
            store_n(y + i * s.y_row + j * s.y_pixel + channel, apply(s.epilogue.after, value),
                    lanes);
        }
    }
}

// Inverse transforms of all tiles of the chunk for one block of output channels.
static void finish_block(const ConvArgs& a, const TileGrid& grid, int64_t block, int64_t width,
                         const float* products) {
    const int64_t end = block * a.plan->block + width;
    for (int64_t tile = a.chunk.column_begin; tile < a.chunk.column_end; ++tile) {
        const TilePlace place = tile_place(grid, tile);
        const float* from = products + (tile - a.chunk.column_begin) * width;
        for (int64_t o = block * a.plan->block; o < end && o < a.shape->oc; o += kLanes)
            finish_tile(a, place, from + o - block * a.plan->block, a.plan->product_plane, o,
                        lanes_left(o, a.shape->oc));
    }
}

static void run_winograd(const ConvArgs& a) {
    const ConvShape& s = *a.shape;
    const ConvPlan& plan = *a.plan;
    const ConvChunk& chunk = a.chunk;
    const TileGrid grid = tile_grid(s);
    const int64_t tiles = chunk.column_end - chunk.column_begin;
    float* const patch = a.scratch;
    float* const inputs = patch + kWinogradPlanes * plan.pitch;
    float* const sums = a.scratch + plan.staged_elements;
    const bool sliced = plan.ic_slice < s.ic;  // the products of all blocks wait for their slices

    for (int64_t slice = 0; slice < s.ic; slice += plan.ic_slice) {
        const int64_t rest = s.ic - slice;
        const int64_t channels = rest < plan.ic_slice ? rest : plan.ic_slice;
        for (int64_t tile = 0; tile < tiles; ++tile)
            transform_tile(a, tile_place(grid, chunk.column_begin + tile), slice, channels, patch,
                           inputs + tile * plan.pitch, plan.input_plane);
        for (int64_t block = chunk.block_begin; block < chunk.block_end; ++block) {
            const int64_t o = block * plan.block;
            const int64_t width = packed_width(s.oc - o);
            const float* w = a.w + o * kWinogradPlanes * s.ic + slice * width;
            float* products = sums;
            if (sliced)
                products += (block - chunk.block_begin) * kWinogradPlanes * plan.product_plane;
            for (int64_t plane = 0; plane < kWinogradPlanes; ++plane)
                multiply_plane(inputs + plane * plan.input_plane, plan.pitch, tiles,
                               w + plane * s.ic * width, width, channels,
                               products + plane * plan.product_plane, slice > 0);
            if (channels == rest) finish_block(a, grid, block, width, products);
        }
    }
}

ConvKernel conv_winograd_f32() { return {kPackedLanes, kLanes > 1, run_winograd}; }

}  // namespace hades::HADES_ISA
