#pragma once
#include "kernels/conv/clamp_generic.h"
#include "kernels/conv/source_generic.h"
#include "kernels/conv/winograd_transform_generic.h"
#include "kernels/tile/winograd_grid.h"
#include "simd/epilogue.h"

// 3x3 convolution, stride 1, any dilation, by F(4x4, 3x3); see winograd.h for the points.
//   y = A^T [ (G w G^T) * (B^T x B) ] A, the product * summed over input channels as 36 matrix
//   products of [tiles x ic] with [ic x oc].
// Packed weights: [plane][block of two vectors of o][i][o in block], the order in which they are
// read; or, where four times as many would come from memory, filters as they are,
// [block][i][tap][o in block], which are transformed for a slice and a pass at a time.
// A call takes some tiles and some blocks of output channels, the blocks in passes. Scratch:
// a pixel of zeros, planes of transformed input [36][tile][ic slice], of transformed filters
// [36][block of pass][i in slice][o in block], and products [pass][36][tile][o in pass]. Planes are
// an odd number of cache lines apart, so that the 36 streams of a transform do not share cache
// sets. Numerics: products are summed over ic in order, slice by slice.
namespace hades::HADES_ISA {

// Calls body(channel, lanes) for whole vectors, with a constant, and then for what is left.
template <class Body>
HADES_INLINE void for_vectors(int64_t channels, const Body& body) {
    int64_t c = 0;
    for (; c + kLanes <= channels; c += kLanes) body(c, kLanes);
    if (c < channels) body(c, lanes_left(c, channels));
}

// Channels [slice, slice + channels) of the tile at `place`; zeros lie around the image.
static void transform_tile(const ConvArgs& a, const TilePlace& place, int64_t slice,
                           int64_t channels, const float* zeros, float* to) {
    const ConvShape& s = *a.shape;
    const int64_t plane = a.plan->input_plane;
    const int64_t row = place.row - s.pad_top, column = place.column - s.pad_left;
    const int64_t x_row = s.x_row * s.dilation_h, x_pixel = s.x_pixel * s.dilation_w;
    const float* x = a.x + place.image * s.x_image + row * s.x_row + column * s.x_pixel + slice;
    const int64_t last_row = row + (kWinogradPatch - 1) * s.dilation_h;
    const int64_t last_column = column + (kWinogradPatch - 1) * s.dilation_w;
    if (row >= 0 && column >= 0 && last_row < s.height && last_column < s.width) {
        for_vectors(channels, [&](int64_t c, int lanes) __attribute__((always_inline)) {
            if (c % kLineFloats == 0) {
                Strip<const float> next(x + kWinogradPatch * x_pixel + c, x_row);
#pragma GCC unroll 4
                for (int j = 0; j < kWinogradOut; ++j, next.advance(x_pixel))
#pragma GCC unroll 6
                    for (int i = 0; i < kWinogradPatch; ++i) __builtin_prefetch(next.at(i));
            }
            transform_patch(x + c, x_row, x_pixel, lanes, to + c, plane);
        });
        return;
    }
    const float* pixels[kWinogradPatch][kWinogradPatch];
    for (int i = 0; i < kWinogradPatch; ++i)
        for (int j = 0; j < kWinogradPatch; ++j) {
            const int64_t r = row + i * s.dilation_h, c = column + j * s.dilation_w;
            const bool inside = r >= 0 && r < s.height && c >= 0 && c < s.width;
            pixels[i][j] = inside ? x + i * x_row + j * x_pixel : zeros;
        }
    for_vectors(channels, [&](int64_t c, int lanes) __attribute__((always_inline)) {
        transform_patch(pixels, c, lanes, to + c, plane);
    });
}

// Where the outputs of a tile go, from the first channel of a pass.
struct TileOutput {
    float* y;
    const float* residual;
    const float* bias;
    int64_t channels;
    int64_t y_row, y_pixel, residual_row, residual_pixel;  // between outputs of the tile
    int64_t rows, columns;                                 // of outputs that there are
};

HADES_INLINE TileOutput tile_output(const ConvArgs& a, const TilePlace& place, int64_t channel) {
    const ConvShape& s = *a.shape;
    TileOutput out;
    out.y =
        a.y + place.image * s.y_image + place.row * s.y_row + place.column * s.y_pixel + channel;
    out.residual = a.residual;
    if (out.residual)
        out.residual += place.image * s.residual_image + place.row * s.residual_row +
                        place.column * s.residual_pixel + channel;
    out.bias = a.bias ? a.bias + channel : nullptr;
    out.channels = s.oc - channel;
    out.y_row = s.y_row * s.dilation_h;
    out.y_pixel = s.y_pixel * s.dilation_w;
    out.residual_row = s.residual_row * s.dilation_h;
    out.residual_pixel = s.residual_pixel * s.dilation_w;
    out.rows = outputs_left(s.out_height, place.row, s.dilation_h);
    out.columns = outputs_left(s.out_width, place.column, s.dilation_w);
    return out;
}

// A whole tile of a clamping epilogue, whole vectors of channels.
template <bool Residual>
static void finish_whole(const ConvArgs& a, const Clamp& clamp, const TileOutput& out,
                         const float* products, int64_t channels) {
    const int64_t plane = a.plan->product_plane, y_row = out.y_row, y_pixel = out.y_pixel;
    const F32 low = set1(clamp.low), high = set1(clamp.high);
    const F32 after_low = set1(clamp.after_low), after_high = set1(clamp.after_high);
    for (int64_t o = 0; o < channels; o += kLanes) {
        if (o % kLineFloats == 0) {
            Strip<float> next(out.y + kWinogradOut * y_pixel + o, y_row);
#pragma GCC unroll 4
            for (int j = 0; j < kWinogradOut; ++j, next.advance(y_pixel))
#pragma GCC unroll 4
                for (int i = 0; i < kWinogradOut; ++i) __builtin_prefetch(next.at(i), 1);
        }
        const F32 bias = out.bias ? load(out.bias + o) : zero();
        Strip<float> y(out.y + o, y_pixel);
        Strip<const float> residual(Residual ? out.residual + o : nullptr, out.residual_pixel);
        const auto put = [&](int, int j, F32 sum) __attribute__((always_inline)) {
            F32 value = min(high, max(low, sum + bias));
            if constexpr (Residual)
                value = min(after_high, max(after_low, value + load(residual.at(j))));
            store(y.at(j), value);
            if (j < kWinogradOut - 1) return;
            y.advance(y_row);
            if constexpr (Residual) residual.advance(out.residual_row);
        };
        transform_products(products + o, plane, put);
    }
}

// One vector of channels of any tile with any epilogue.
static void finish_part(const ConvArgs& a, const TileOutput& out, const float* products,
                        int64_t o) {
    const ConvShape& s = *a.shape;
    const int lanes = lanes_left(o, out.channels);
    F32 sums[kWinogradOut][kWinogradOut];
    transform_products(products + o, a.plan->product_plane,
                       [&](int i, int j, F32 sum) { sums[i][j] = sum; });
    const F32 bias = out.bias ? load_n(out.bias + o, lanes) : zero();
    for (int64_t i = 0; i < out.rows; ++i) {
        for (int64_t j = 0; j < out.columns; ++j) {
            F32 value = apply(s.epilogue.activation, sums[i][j] + bias);
            if (out.residual)
                value =
                    value +
                    load_n(out.residual + i * out.residual_row + j * out.residual_pixel + o, lanes);
            store_n(out.y + i * out.y_row + j * out.y_pixel + o, apply(s.epilogue.after, value),
                    lanes);
        }
    }
}

// Inverse transforms of all tiles of the chunk for a pass of `width` packed channels.
static void finish_pass(const ConvArgs& a, const TileGrid& grid, int64_t channel, int64_t width,
                        const float* products) {
    const Clamp clamp = clamp_of(a.shape->epilogue, a.residual != nullptr);
    const int64_t row = a.plan->blocks_per_pass * a.plan->block;
    TilePlace place = tile_place(grid, a.chunk.column_begin);
    for (int64_t tile = a.chunk.column_begin; tile < a.chunk.column_end;
         ++tile, products += row, step_to_next(grid, &place)) {
        const TileOutput out = tile_output(a, place, channel);
        const int64_t channels = out.channels < width ? out.channels : width;
        const bool whole =
            clamp.suffices && out.rows == kWinogradOut && out.columns == kWinogradOut;
        int64_t o = whole ? channels / kLanes * kLanes : 0;
        if (o > 0)
            (out.residual ? finish_whole<true> : finish_whole<false>)(a, clamp, out, products, o);
        for (; o < channels; o += kLanes) finish_part(a, out, products, o);
    }
}

// All tiles of the chunk, channels [slice, slice + channels).
static void transform_slice(const ConvArgs& a, const TileGrid& grid, int64_t slice,
                            int64_t channels) {
    const float* zeros = a.scratch;
    float* to = a.scratch + a.plan->pitch;
    TilePlace place = tile_place(grid, a.chunk.column_begin);
    for (int64_t tile = a.chunk.column_begin; tile < a.chunk.column_end;
         ++tile, to += a.plan->pitch, step_to_next(grid, &place))
        transform_tile(a, place, slice, channels, zeros, to);
}

// Transforms the filters of one pass, blocks [begin, end) of output channels, into scratch.
static const float* transform_pass(const ConvArgs& a, int64_t slice, int64_t channels,
                                   int64_t begin, int64_t end) {
    const ConvShape& s = *a.shape;
    const ConvPlan& plan = *a.plan;
    float* planes = a.scratch + plan.pitch + kWinogradPlanes * plan.input_plane;
    float* to = planes;
    for (int64_t block = begin; block < end; ++block) {
        const int64_t o = block * plan.block;
        const int64_t width = packed_width(s.oc - o);
        const float* w = a.w + (o * s.ic + slice * width) * kFilterTaps;
        for (int64_t i = 0; i < channels; ++i, w += kFilterTaps * width)
            for (int64_t v = 0; v < width; v += kLanes, to += kLanes)
                transform_filters(w + v, width, to, plan.filter_plane, width);
    }
    return planes;
}

// The products of one pass: blocks [begin, end) of output channels.
static void multiply_pass(const ConvArgs& a, PlaneProduct product, int64_t slice, int64_t begin,
                          int64_t end, float* products) {
    const ConvShape& s = *a.shape;
    const ConvPlan& plan = *a.plan;
    const TileGroups groups(a.chunk.column_end - a.chunk.column_begin);
    const bool stored = plan.filter_plane == 0;
    const int64_t filter_plane = stored ? round_up(s.oc, kPackedLanes) * s.ic : plan.filter_plane;
    const float* filters = stored ? a.w + begin * plan.block * s.ic
                                  : transform_pass(a, slice, product.channels, begin, end);
    for (int64_t plane = 0; plane < kWinogradPlanes; ++plane) {
        product.products = products;
        product.w = filters;
        for (int64_t block = begin; block < end; ++block) {
            const int64_t width = packed_width(s.oc - block * plan.block);
            if (stored) product.w = filters + (block - begin) * plan.block * s.ic + slice * width;
            multiply_plane(product, groups, width);
            product.w += product.channels * width;
            product.products += plan.block;
        }
        product.x += plan.input_plane;
        products += plan.product_plane;
        filters += filter_plane;
    }
}

static void run_winograd(const ConvArgs& a) {
    const ConvShape& s = *a.shape;
    const ConvPlan& plan = *a.plan;
    const TileGrid grid = tile_grid(s);
    PlaneProduct product;
    product.x = a.scratch + plan.pitch;
    product.pitch = plan.pitch;
    product.row = plan.blocks_per_pass * plan.block;
    clear_floats(a.scratch, plan.pitch);
    for (int64_t slice = 0; slice < s.ic; slice += plan.ic_slice) {
        const int64_t rest = s.ic - slice;
        product.channels = rest < plan.ic_slice ? rest : plan.ic_slice;
        product.accumulate = slice > 0;
        transform_slice(a, grid, slice, product.channels);
        float* products = a.scratch + plan.staged_elements;
        for (int64_t begin = a.chunk.block_begin; begin < a.chunk.block_end;) {
            const int64_t last = begin + plan.blocks_per_pass;
            const int64_t end = last < a.chunk.block_end ? last : a.chunk.block_end;
            multiply_pass(a, product, slice, begin, end, products);
            if (product.channels == rest)
                finish_pass(a, grid, begin * plan.block, (end - begin) * plan.block, products);
            if (plan.ic_slice < s.ic) products += kWinogradPlanes * plan.product_plane;
            begin = end;
        }
    }
}

ConvKernel conv_winograd_f32() { return {kPackedLanes, kLanes > 1, run_winograd}; }

}  // namespace hades::HADES_ISA
