#pragma once
#include <cstring>

#include "kernels/cutout/cutout.h"

namespace hades::HADES_ISA {

// Vector extensions rather than intrinsics: the width is that of a pixel, whatever the tier.
typedef uint8_t Bytes4 __attribute__((vector_size(4)));
typedef uint32_t Sums4 __attribute__((vector_size(16)));  // one weighted colour and its weight
typedef uint32_t Sums __attribute__((vector_size(32)));   // that of foreground and background
typedef int32_t Int4 __attribute__((vector_size(16)));
typedef float Float4 __attribute__((vector_size(16)));

template <class Vector>
HADES_INLINE Vector load_as(const void* p) {
    Vector vector;
    memcpy(&vector, p, sizeof vector);
    return vector;
}
HADES_INLINE Sums load_sums(const uint32_t* p) { return load_as<Sums>(p); }
HADES_INLINE void store_sums(uint32_t* p, Sums sums) { memcpy(p, &sums, sizeof sums); }

// RGB and a one, the weight's own coefficient.
HADES_INLINE Sums4 load_colour(const uint8_t* pixel) {
    const uint32_t packed = pixel[0] | pixel[1] << 8 | pixel[2] << 16 | 1 << 24;
    return __builtin_convertvector(reinterpret_cast<const Bytes4&>(packed), Sums4);
}

HADES_INLINE Float4 to_float(Sums4 sums) {
    // All sums are below 2^31; the signed conversion exists in every tier.
    return __builtin_convertvector(reinterpret_cast<Int4>(sums), Float4);
}

HADES_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
HADES_INLINE int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

// y[i] = x[i - radius] + ... + x[i + radius] for i in [0, n), zeros outside [0, n).
HADES_INLINE void running_sum(const uint32_t* x, uint32_t* y, int64_t n, int64_t radius) {
    Sums sum = {};
    for (int64_t i = 0; i < least(radius, n); ++i) sum += load_sums(x + i * 8);
    for (int64_t i = 0; i < n; ++i) {
        if (i + radius < n) sum += load_sums(x + (i + radius) * 8);
        store_sums(y + i * 8, sum);
        if (i >= radius) sum -= load_sums(x + (i - radius) * 8);
    }
}

HADES_INLINE void sum_cells(const CutoutArgs& a, int64_t chunk) {
    alignas(32) uint32_t row[kCutoutMaxCells * 8];
    const int64_t bottom = least((chunk + 1) * a.cell, a.height);
    for (int64_t column = 0; column < a.cell_cols; ++column) {
        const int64_t right = least((column + 1) * a.cell, a.width);
        Sums4 foreground = {}, background = {};
        for (int64_t y = chunk * a.cell; y < bottom; y += a.cell_step)
            for (int64_t x = column * a.cell; x < right; x += a.cell_step) {
                const Sums4 colour = load_colour(a.image + y * a.image_stride + x * 3);
                const uint32_t alpha = a.alpha[y * a.alpha_stride + x];
                foreground += colour * alpha;
                background += colour * (255 - alpha);
            }
        memcpy(row + column * 8, &foreground, sizeof foreground);
        memcpy(row + column * 8 + 4, &background, sizeof background);
    }
    running_sum(row, a.sums + chunk * a.cell_cols * 8, a.cell_cols, kCutoutWide);
}

// A weighted sum of colours as a colour, and 1 in place of its weight unless that is zero.
HADES_INLINE void average(const uint32_t* sums, uint8_t* prior) {
    const Float4 weighted = to_float(load_as<Sums4>(sums));
    const Float4 colour = weighted / (weighted[3] > 0.0f ? weighted[3] : 1.0f) + 0.5f;
    const Bytes4 bytes = __builtin_convertvector(__builtin_convertvector(colour, Int4), Bytes4);
    memcpy(prior, &bytes, sizeof bytes);
}

HADES_INLINE void make_prior(const CutoutArgs& a, int64_t chunk) {
    const int64_t first = chunk * kCutoutCellBlock;
    const int64_t last = least(first + kCutoutCellBlock, a.cell_cols);
    const int64_t stride = a.cell_cols * 8;
    for (int64_t column = first; column < last; ++column) {
        const uint32_t* sums = a.sums + column * 8;
        uint8_t* prior = a.prior + column * 8;
        Sums sum = {};
        for (int64_t y = 0; y < least(kCutoutWide, a.cell_rows); ++y)
            sum += load_sums(sums + y * stride);
        for (int64_t y = 0; y < a.cell_rows; ++y) {
            if (y + kCutoutWide < a.cell_rows) sum += load_sums(sums + (y + kCutoutWide) * stride);
            alignas(32) uint32_t window[8];
            store_sums(window, sum);
            average(window, prior + y * stride);
            average(window + 4, prior + y * stride + 4);
            if (y >= kCutoutWide) sum -= load_sums(sums + (y - kCutoutWide) * stride);
        }
    }
}

// F^ + alpha (I - alpha F^ - (1 - alpha) B^), to the nearest colour.
HADES_INLINE Sums4 fuse(Float4 image, float alpha, Float4 foreground, Float4 background) {
    const Float4 residual = image - alpha * foreground - (1.0f - alpha) * background;
    Float4 fused = foreground + alpha * residual + 0.5f;
    const Float4 black = {}, white = black + 255.0f;
    fused = fused < black ? black : fused;
    fused = fused > white ? white : fused;
    return reinterpret_cast<Sums4>(__builtin_convertvector(fused, Int4));
}

// The weighted colours that a pixel contributes to the narrow average.
HADES_INLINE void contribute(const uint8_t* pixel, uint32_t alpha, const uint8_t* prior,
                             uint32_t* sums) {
    const Sums4 colour = load_colour(pixel);
    Sums4 foreground = colour, background = colour;
    if (alpha != 0 && alpha != 255) {
        const Sums4 wide = prior[3] ? load_colour(prior) : colour;
        if (prior[7]) background = load_colour(prior + 4);
        foreground = fuse(to_float(colour), static_cast<float>(alpha) / 255.0f, to_float(wide),
                          to_float(background));
        foreground[3] = 1;
    }
    foreground *= alpha;
    background *= 255 - alpha;
    memcpy(sums, &foreground, sizeof foreground);
    memcpy(sums + 4, &background, sizeof background);
}

struct TileBounds {
    int64_t top, bottom, left, right;
};

HADES_INLINE bool is_soft(uint8_t alpha) { return static_cast<uint8_t>(alpha - 1) < 254; }

// The smallest rectangle around the soft pixels of `t`; empty (bottom <= top) if there are none.
HADES_INLINE TileBounds soft_bounds(const CutoutArgs& a, const TileBounds& t) {
    TileBounds soft = {t.bottom, t.top, t.right, t.left};
    for (int64_t y = t.top; y < t.bottom; ++y) {
        const uint8_t* alpha = a.alpha + y * a.alpha_stride;
        int any = 0;
        for (int64_t x = t.left; x < t.right; ++x) any |= is_soft(alpha[x]);
        if (!any) continue;
        soft.top = least(soft.top, y);
        soft.bottom = y + 1;
        int64_t first = t.left, last = t.right;
        while (!is_soft(alpha[first])) ++first;
        while (!is_soft(alpha[last - 1])) --last;
        soft.left = least(soft.left, first);
        soft.right = most(soft.right, last);
    }
    return soft;
}

// A row of the result with the colours of the image.
HADES_INLINE void copy_row(const CutoutArgs& a, int64_t y) {
    const uint8_t* pixel = a.image + y * a.image_stride;
    const uint8_t* alpha = a.alpha + y * a.alpha_stride;
    uint8_t* rgba = a.rgba + y * a.rgba_stride;
    const uint32_t kept = a.keep_hidden ? 0xffffffu : 0;
    auto store_pixel = [=](int64_t x, uint32_t colour) {
        colour &= alpha[x] ? 0xffffffu : kept;
        colour |= static_cast<uint32_t>(alpha[x]) << 24;
        memcpy(rgba + x * 4, &colour, 4);
    };
    // Four bytes at once, but the last pixel of an image has only three.
    uint32_t colour = 0;
    for (int64_t x = 0; x + 1 < a.width; ++x) {
        memcpy(&colour, pixel + x * 3, 4);
        store_pixel(x, colour);
    }
    memcpy(&colour, pixel + (a.width - 1) * 3, 3);
    store_pixel(a.width - 1, colour);
}

// Row y of the tile with its margins, summed over the columns of the narrow average.
HADES_INLINE void sum_tile_row(const CutoutArgs& a, const TileBounds& t, int64_t y,
                               uint32_t* padded, uint32_t* sums) {
    const int64_t first = most(t.left - kCutoutNarrow, 0);
    const int64_t last = least(t.right + kCutoutNarrow, a.width);
    const uint8_t* pixel = a.image + y * a.image_stride;
    const uint8_t* alpha = a.alpha + y * a.alpha_stride;
    const uint8_t* prior = a.prior + (y / a.cell * a.cell_cols + first / a.cell) * 8;
    int64_t next_cell = (first / a.cell + 1) * a.cell;
    for (int64_t x = first; x < last; ++x) {
        if (x == next_cell) {
            prior += 8;
            next_cell += a.cell;
        }
        contribute(pixel + x * 3, alpha[x], prior, padded + (x - first) * 8);
    }
    Sums sum = {};
    for (int64_t x = first; x < least(t.left + kCutoutNarrow, last); ++x)
        sum += load_sums(padded + (x - first) * 8);
    for (int64_t x = t.left; x < t.right; ++x) {
        const int64_t enters = x + kCutoutNarrow, leaves = x - kCutoutNarrow;
        if (enters < last) sum += load_sums(padded + (enters - first) * 8);
        store_sums(sums + (x - t.left) * 8, sum);
        if (leaves >= first) sum -= load_sums(padded + (leaves - first) * 8);
    }
}

HADES_INLINE void fuse_row(const CutoutArgs& a, const TileBounds& t, int64_t y,
                           const uint32_t* columns) {
    const uint8_t* pixel = a.image + y * a.image_stride;
    const uint8_t* alpha = a.alpha + y * a.alpha_stride;
    uint8_t* rgba = a.rgba + y * a.rgba_stride;
    for (int64_t x = t.left; x < t.right; ++x) {
        if (!is_soft(alpha[x])) continue;
        const uint32_t* sums = columns + (x - t.left) * 8;
        const Float4 foreground = to_float(load_as<Sums4>(sums));
        const Float4 background = to_float(load_as<Sums4>(sums + 4));
        const Sums4 colour =
            fuse(to_float(load_colour(pixel + x * 3)), static_cast<float>(alpha[x]) / 255.0f,
                 foreground / foreground[3], background / background[3]);
        const Bytes4 bytes = __builtin_convertvector(colour, Bytes4);
        memcpy(rgba + x * 4, &bytes, 3);
    }
}

HADES_INLINE void fuse_tile(const CutoutArgs& a, const TileBounds& t, uint32_t* padded) {
    uint32_t* rows = padded + (kCutoutTileCols + 2 * kCutoutNarrow) * 8;
    uint32_t* columns = rows + (kCutoutTileRows + 2 * kCutoutNarrow) * kCutoutTileCols * 8;
    const int64_t first = most(t.top - kCutoutNarrow, 0);
    const int64_t last = least(t.bottom + kCutoutNarrow, a.height);
    const int64_t width = t.right - t.left;
    auto row = [&](int64_t y) { return rows + (y - first) * kCutoutTileCols * 8; };
    auto add_row = [&](const uint32_t* from, bool subtract) {
        for (int64_t x = 0; x < width; ++x) {
            const Sums sum = load_sums(columns + x * 8), term = load_sums(from + x * 8);
            store_sums(columns + x * 8, subtract ? sum - term : sum + term);
        }
    };
    for (int64_t y = first; y < last; ++y) sum_tile_row(a, t, y, padded, row(y));
    memset(columns, 0, static_cast<size_t>(width) * 8 * sizeof(uint32_t));
    for (int64_t y = first; y < least(t.top + kCutoutNarrow, last); ++y) add_row(row(y), false);
    for (int64_t y = t.top; y < t.bottom; ++y) {
        if (y + kCutoutNarrow < last) add_row(row(y + kCutoutNarrow), false);
        fuse_row(a, t, y, columns);
        if (y - kCutoutNarrow >= first) add_row(row(y - kCutoutNarrow), true);
    }
}

HADES_INLINE void cut_strip(const CutoutArgs& a, int64_t chunk, uint32_t* scratch) {
    const int64_t top = chunk * kCutoutTileRows, bottom = least(top + kCutoutTileRows, a.height);
    for (int64_t y = top; y < bottom; ++y) copy_row(a, y);
    if (!a.estimate) return;
    for (int64_t left = 0; left < a.width; left += kCutoutTileCols) {
        const int64_t right = least(left + kCutoutTileCols, a.width);
        const TileBounds soft = soft_bounds(a, {top, bottom, left, right});
        if (soft.top < soft.bottom) fuse_tile(a, soft, scratch);
    }
}

void cut_out_u8(const CutoutArgs& a, CutoutStep step, int64_t chunk, void* scratch) {
    switch (step) {
        case CutoutStep::cells:
            return sum_cells(a, chunk);
        case CutoutStep::prior:
            return make_prior(a, chunk);
        case CutoutStep::strip:
            return cut_strip(a, chunk, static_cast<uint32_t*>(scratch));
    }
}

}  // namespace hades::HADES_ISA
