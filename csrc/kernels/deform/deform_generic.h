#pragma once
// Samples of a few taps at a time, then their product with the weights, while they are in the
// second-level cache:
//
//   samples[p, t, c] = mask[t, p] * bilinear(x[.., c], position of p and t + offset[t, p])
//   sums[p, o]      += samples[p, (t, c)] * w[(t, c), o]
//
// Operands            x: channels contiguous; offset and mask: any strides; w: panels [panel][t, c]
// Registers           the tile of kernels/tile/micro_kernel.h; sampling: two sums and four weights
// Numerics            a sample is four products added from the upper left on; what is outside the
//                     image is zero and not read. Sums of the taps at once begin at zero.
#include <cstring>

#include "base/rounding.h"
#include "kernels/deform/deform.h"
#include "kernels/tile/finish.h"
#include "kernels/tile/micro_kernel.h"
#include "simd/math.h"

namespace hades::HADES_ISA {

// Where the samples of one tap lie, per output pixel.
struct Positions {
    float along[2][kDeformPixels];     // before offsets are added: vertical, horizontal
    float offset[2][kDeformPixels];    //
    float mask[kDeformPixels];         //
    int32_t corner[2][kDeformPixels];  // row and column of the pixel up and left of it
    int32_t inside[kDeformPixels];     // whether the four pixels around it are in the image
    float weight[4][kDeformPixels];    // of those, row by row
};

static void copy_strided(const DeformArgs& a, const float* plane, int64_t row, int64_t pixel,
                         float* to) {
    const int64_t width = a.shape->out_width;
    int64_t oy = a.first / width, ox = a.first % width;
    for (int64_t i = 0; i < a.count; ++i) {
        to[i] = plane[oy * row + ox * pixel];
        if (++ox == width) ox = 0, ++oy;
    }
}

// The undeformed places of one tap.
static void place(const DeformArgs& a, int64_t tap, Positions* p) {
    const DeformShape& s = *a.shape;
    const int64_t ky = tap / s.kernel_w, kx = tap % s.kernel_w;
    int64_t oy = a.first / s.out_width, ox = a.first % s.out_width;
    for (int64_t i = 0; i < a.count; ++i) {
        p->along[0][i] = static_cast<float>(oy * s.stride_h - s.pad_top + ky * s.dilation_h);
        p->along[1][i] = static_cast<float>(ox * s.stride_w - s.pad_left + kx * s.dilation_w);
        if (++ox == s.out_width) ox = 0, ++oy;
    }
}

// One axis of `kLanes` samples: the pixel before, how far behind it, whether both lie in the image.
struct Split {
    F32 before, part;
    Mask inside;
};

HADES_INLINE Split split(const Positions& p, int axis, int64_t i, int lanes, int64_t extent) {
    const F32 last = set1(static_cast<float>(extent - 1));
    F32 x = load_n(p.along[axis] + i, lanes) + load_n(p.offset[axis] + i, lanes);
    x = min(max(x, set1(-2.0f)), last + set1(2.0f));  // NaN, too, is outside
    const F32 before = floor(x);
    return {before, x - before, less_equal(zero(), before) & less(before, last)};
}

static void locate(const DeformShape& s, int64_t count, Positions* p) {
    const F32 one = set1(1.0f);
    for (int64_t i = 0; i < count; i += kLanes) {
        const int lanes = count - i < kLanes ? static_cast<int>(count - i) : kLanes;
        const Split rows = split(*p, 0, i, lanes, s.height);
        const Split columns = split(*p, 1, i, lanes, s.width);
        const F32 mask = load_n(p->mask + i, lanes);
        const F32 lower = rows.part * mask, upper = (one - rows.part) * mask;
        store_n(p->corner[0] + i, to_i32(rows.before), lanes);
        store_n(p->corner[1] + i, to_i32(columns.before), lanes);
        store_n(p->inside + i, to_i32(select(rows.inside & columns.inside, one, zero())), lanes);
        store_n(p->weight[0] + i, upper * (one - columns.part), lanes);
        store_n(p->weight[1] + i, upper * columns.part, lanes);
        store_n(p->weight[2] + i, lower * (one - columns.part), lanes);
        store_n(p->weight[3] + i, lower * columns.part, lanes);
    }
}

struct Corners {
    const float* pixels[4];
    float weights[4];
};

HADES_INLINE void add_up(const Corners& c, float* to, int64_t channels) {
    F32 weights[4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) weights[k] = set1(c.weights[k]);
    int64_t i = 0;
    for (; i + kLanes <= channels; i += kLanes) {
        F32 total = load(c.pixels[0] + i) * weights[0];
#pragma GCC unroll 4
        for (int k = 1; k < 4; ++k) total = fma(load(c.pixels[k] + i), weights[k], total);
        store(to + i, total);
    }
    if (i == channels) return;
    const int lanes = static_cast<int>(channels - i);
    F32 total = load_n(c.pixels[0] + i, lanes) * weights[0];
#pragma GCC unroll 4
    for (int k = 1; k < 4; ++k) total = fma(load_n(c.pixels[k] + i, lanes), weights[k], total);
    store_n(to + i, total, lanes);
}

// Pixels outside of the image weigh nothing; another is read in their place.
static __attribute__((noinline)) void sample_border(const DeformShape& s, const Positions& p,
                                                    const float* x, int64_t i, float* to,
                                                    int64_t channels) {
    Corners c;
    const float* seen = nullptr;
    for (int k = 0; k < 4; ++k) {
        const int64_t row = p.corner[0][i] + k / 2, column = p.corner[1][i] + k % 2;
        const bool inside = row >= 0 && row < s.height && column >= 0 && column < s.width;
        c.weights[k] = inside ? p.weight[k][i] : 0.0f;
        c.pixels[k] = inside ? x + row * s.x_row + column * s.x_pixel : nullptr;
        if (inside) seen = c.pixels[k];
    }
    if (!seen) {
        memset(to, 0, static_cast<size_t>(channels) * sizeof(float));
        return;
    }
    for (int k = 0; k < 4; ++k)
        if (!c.pixels[k]) c.pixels[k] = seen;
    add_up(c, to, channels);
}

HADES_INLINE void sample(const DeformShape& s, const Positions& p, const float* x, int64_t i,
                         float* to, int64_t channels) {
    if (!p.inside[i]) return sample_border(s, p, x, i, to, channels);
    const float* first = x + p.corner[0][i] * s.x_row + p.corner[1][i] * s.x_pixel;
    const Corners c = {{first, first + s.x_pixel, first + s.x_row, first + s.x_row + s.x_pixel},
                       {p.weight[0][i], p.weight[1][i], p.weight[2][i], p.weight[3][i]}};
    add_up(c, to, channels);
}

// Samples of one tap, the channels of one group, into columns of the scratch.
static void sample_tap(const DeformArgs& a, int64_t group, int64_t tap, float* to, Positions* p) {
    const DeformShape& s = *a.shape;
    const int64_t moved = s.groups * s.ic / s.offset_groups;  // channels of an offset group
    const int64_t begin = group * s.ic, end = begin + s.ic;
    place(a, tap, p);
    for (int64_t c = begin, stop; c < end; c = stop) {
        const int64_t plane = c / moved * s.taps() + tap;
        stop = (c / moved + 1) * moved < end ? (c / moved + 1) * moved : end;
        for (int axis = 0; axis < 2; ++axis)
            copy_strided(a, a.offset + (2 * plane + axis) * s.offset_channel, s.offset_row,
                         s.offset_pixel, p->offset[axis]);
        if (a.mask)
            copy_strided(a, a.mask + plane * s.mask_channel, s.mask_row, s.mask_pixel, p->mask);
        locate(s, a.count, p);
        for (int64_t i = 0; i < a.count; ++i)
            sample(s, *p, a.x + c, i, to + i * a.pitch + (c - begin), stop - c);
    }
}

struct ProductTile {
    Left samples;
    Right weights;
    int64_t depth;
    float* sums;
    int64_t sums_row;
    bool first;
};

template <int MR, int NV>
static void multiply_tile(const ProductTile& t) {
    Tile<MR, NV> tile;
    clear(tile);
    multiply<false>(t.samples, t.weights, t.depth, tile);
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) {
            float* sum = t.sums + r * t.sums_row + v * kLanes;
            store(sum, t.first ? tile.acc[r][v] : load(sum) + tile.acc[r][v]);
        }
}

using ProductTileFn = void (*)(const ProductTile&);

// Indexed by rows - 1, vectors - 1.
struct ProductTiles {
    ProductTileFn run[kTileRows][kPanelVectors];
};

template <int MR = 1, int NV = 1>
constexpr void add_product_tiles(ProductTiles& tiles) {
    tiles.run[MR - 1][NV - 1] = multiply_tile<MR, NV>;
    if constexpr (NV < kPanelVectors)
        add_product_tiles<MR, NV + 1>(tiles);
    else if constexpr (MR < kTileRows)
        add_product_tiles<MR + 1, 1>(tiles);
}

constexpr ProductTiles make_product_tiles() {
    ProductTiles tiles{};
    add_product_tiles(tiles);
    return tiles;
}

static constexpr ProductTiles kProductTiles = make_product_tiles();

// sums (+)= samples of taps [first, last) times their weights.
static void multiply_taps(const DeformArgs& a, const float* w, int64_t first, int64_t last,
                          float* sums) {
    const DeformShape& s = *a.shape;
    const int64_t tiles = ceil_div(a.count, kTileRows);
    ProductTile t;
    t.depth = (last - first) * s.ic;
    t.sums_row = round_up(s.oc, kLanes);
    t.first = first == 0;
    t.weights.panel = 0;
    for (int64_t tile = 0; tile < tiles; ++tile) {
        const int64_t row = a.count * tile / tiles;
        const int64_t rows = a.count * (tile + 1) / tiles - row;
        t.samples = {a.scratch + row * a.pitch, a.pitch, 1};
        for (int64_t o = 0; o < s.oc; o += kPanelWidth) {
            const int64_t left = s.oc - o;
            const int64_t vectors = left < kPanelWidth ? ceil_div(left, kLanes) : kPanelVectors;
            t.weights.step = vectors * kLanes;
            t.weights.data = w + o * s.depth() + first * s.ic * t.weights.step;
            t.sums = sums + row * t.sums_row + o;
            kProductTiles.run[rows - 1][vectors - 1](t);
        }
    }
}

static void run_deform(const DeformArgs& a) {
    const DeformShape& s = *a.shape;
    const int64_t columns = round_up(s.oc, kLanes);
    float* sums = a.scratch + a.count * a.pitch;
    Positions positions;
    for (int64_t i = 0; i < a.count; ++i) positions.mask[i] = 1.0f;
    for (int64_t group = 0; group < s.groups; ++group) {
        const float* w = a.w + group * s.depth() * columns;
        for (int64_t first = 0; first < s.taps(); first += a.taps_at_once) {
            const int64_t left = s.taps() - first;
            const int64_t last = first + (left < a.taps_at_once ? left : a.taps_at_once);
            for (int64_t tap = first; tap < last; ++tap)
                sample_tap(a, group, tap, a.scratch + (tap - first) * s.ic, &positions);
            multiply_taps(a, w, first, last, sums);
        }
        const Finish finish = {a.bias ? a.bias + group * s.oc : nullptr,
                               nullptr,
                               a.y + group * s.oc,
                               0,
                               s.y_pixel,
                               1.0f,
                               s.epilogue};
        finish_rows(finish, sums, static_cast<int>(columns), static_cast<int>(a.count),
                    static_cast<int>(s.oc));
    }
}

DeformKernel deform_conv_f32() { return {kTileRows, kLanes, kPanelVectors, run_deform}; }

}  // namespace hades::HADES_ISA
