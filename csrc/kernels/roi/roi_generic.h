#pragma once
// Vectors along the channels of one bin, which is its own accumulator: bins stay in the first-level
// cache while their samples pass. Regions may be anywhere and of any size: samples outside of the
// image are left out by arithmetic, not one by one.
//
// Numerics            positions in float32; a sample adds four products, upper left first
#include "kernels/roi/roi.h"
#include "simd/simd.h"

namespace hades::HADES_ISA {

constexpr float kManySamples = 1073741824.0f;

// A float as a count in [0, limit]; NaN is 0.
HADES_INLINE int64_t to_count(float value, int64_t limit) {
    if (!(value > 0.0f)) return 0;
    return value < static_cast<float>(limit) ? static_cast<int64_t>(value) : limit;
}

// The samples of a bin along one axis lie at first + (i + 0.5) * step for i < count.
struct SampleLine {
    float first, step;
    int64_t count;
    int64_t begin, end;  // of those that may be inside
};

HADES_INLINE SampleLine sample_line(const RoiAxis& axis, float from, float to, int64_t bin,
                                    const RoiRowArgs& a) {
    const float offset = a.half_pixel ? 0.5f : 0.0f;
    const float start = from * a.scale - offset;
    float extent = to * a.scale - offset - start;
    if (!a.half_pixel && !(extent > 1.0f)) extent = 1.0f;  // older boxes have a pixel at least
    const float size = extent / static_cast<float>(axis.bins);
    SampleLine line;
    line.count = a.sampling_ratio > 0
                     ? a.sampling_ratio
                     : to_count(__builtin_ceilf(size), static_cast<int64_t>(kManySamples));
    line.first = start + static_cast<float>(bin) * size;
    line.step = size / static_cast<float>(line.count > 0 ? line.count : 1);
    line.begin = 0, line.end = line.count;
    if (line.step > 0.0f) {  // with a sample to spare, as these divisions round
        const float last = static_cast<float>(axis.extent);
        line.begin = to_count((-1.0f - line.first) / line.step - 2.0f, line.count);
        line.end = to_count((last - line.first) / line.step + 2.0f, line.count);
    }
    return line;
}

// The pixels before and after a sample along one axis, and how far it is behind the first.
struct Between {
    bool inside;
    int64_t before, after;
    float part;
};

HADES_INLINE Between between(const RoiAxis& axis, const SampleLine& line, int64_t i) {
    float at = line.first + (static_cast<float>(i) + 0.5f) * line.step;
    Between b = {};
    b.inside = at >= -1.0f && at <= static_cast<float>(axis.extent);
    if (!b.inside) return b;
    at = at > 0.0f ? at : 0.0f;
    const int64_t last = axis.extent - 1, whole = static_cast<int64_t>(at);
    b.before = whole < last ? whole : last;
    b.after = whole < last ? whole + 1 : last;
    b.part = whole < last ? at - static_cast<float>(whole) : 0.0f;
    return b;
}

HADES_INLINE int lanes_of(int64_t channels, int64_t c) {
    return channels - c < kLanes ? static_cast<int>(channels - c) : kLanes;
}

// Products of the four pixels around a sample with their weights, for one vector of channels.
template <bool kIsMax>
HADES_INLINE F32 combine(const float* const (&pixels)[4], const float (&weights)[4], int64_t c,
                         int lanes) {
    F32 total = load_n(pixels[0] + c, lanes) * set1(weights[0]);
#pragma GCC unroll 4
    for (int k = 1; k < 4; ++k) {
        const F32 pixel = load_n(pixels[k] + c, lanes);
        total = kIsMax ? max(pixel * set1(weights[k]), total) : fma(pixel, set1(weights[k]), total);
    }
    return total;
}

HADES_INLINE void fill_bin(float* y, int64_t channels, float value) {
    for (int64_t c = 0; c < channels; c += kLanes)
        store_n(y + c, set1(value), lanes_of(channels, c));
}

template <bool kIsMax>
HADES_INLINE void add_sample(const RoiRowArgs& a, const Between& row, const Between& column,
                             float* y) {
    const float* upper = a.x + row.before * a.vertical.x;
    const float* lower = a.x + row.after * a.vertical.x;
    const int64_t left = column.before * a.horizontal.x, right = column.after * a.horizontal.x;
    const float* const pixels[4] = {upper + left, upper + right, lower + left, lower + right};
    const float weights[4] = {(1.0f - row.part) * (1.0f - column.part),
                              (1.0f - row.part) * column.part, row.part * (1.0f - column.part),
                              row.part * column.part};
    for (int64_t c = 0; c < a.channels; c += kLanes) {
        const int lanes = lanes_of(a.channels, c);
        const F32 value = combine<kIsMax>(pixels, weights, c, lanes), have = load_n(y + c, lanes);
        store_n(y + c, kIsMax ? max(value, have) : have + value, lanes);
    }
}

template <bool kIsMax>
static void align_bin(const RoiRowArgs& a, const SampleLine& rows, const SampleLine& columns,
                      float* y) {
    fill_bin(y, a.channels, kIsMax ? -__builtin_inff() : 0.0f);
    int64_t seen = 0;
    for (int64_t i = rows.begin; i < rows.end; ++i) {
        const Between row = between(a.vertical, rows, i);
        if (!row.inside) continue;
        for (int64_t j = columns.begin; j < columns.end; ++j) {
            const Between column = between(a.horizontal, columns, j);
            if (!column.inside) continue;
            add_sample<kIsMax>(a, row, column, y);
            ++seen;
        }
    }
    const double count = static_cast<double>(rows.count) * static_cast<double>(columns.count);
    const bool misses = static_cast<double>(seen) < count || count == 0;
    for (int64_t c = 0; c < a.channels; c += kLanes) {
        const int lanes = lanes_of(a.channels, c);
        const F32 value = load_n(y + c, lanes);
        if (!kIsMax && count > 0)
            store_n(y + c, value / set1(static_cast<float>(count)), lanes);
        else if (kIsMax && misses)  // a sample outside is zero
            store_n(y + c, max(value, zero()), lanes);
    }
}

template <bool kIsMax>
HADES_INLINE void align_row(const RoiRowArgs& a) {
    const SampleLine rows = sample_line(a.vertical, a.box[1], a.box[3], a.row, a);
    for (int64_t bin = 0; bin < a.horizontal.bins; ++bin)
        align_bin<kIsMax>(a, rows, sample_line(a.horizontal, a.box[0], a.box[2], bin, a),
                          a.y + bin * a.y_bin);
}

void roi_align_average_f32(const RoiRowArgs& a) { align_row<false>(a); }
void roi_align_max_f32(const RoiRowArgs& a) { align_row<true>(a); }

// Pixels [begin, end) of one bin along one axis.
struct PixelRange {
    int64_t begin, end;
};

HADES_INLINE int64_t clamped(float value, int64_t extent) { return to_count(value, extent); }

HADES_INLINE PixelRange pixel_range(const RoiAxis& axis, float from, float to, int64_t bin,
                                    float scale) {
    const float start = __builtin_roundf(from * scale), end = __builtin_roundf(to * scale);
    float extent = end - start + 1.0f;
    extent = extent > 1.0f ? extent : 1.0f;
    const float size = extent / static_cast<float>(axis.bins);
    const auto index = static_cast<float>(bin);
    return {clamped(__builtin_floorf(index * size) + start, axis.extent),
            clamped(__builtin_ceilf((index + 1.0f) * size) + start, axis.extent)};
}

void roi_max_pool_f32(const RoiRowArgs& a) {
    const PixelRange rows = pixel_range(a.vertical, a.box[1], a.box[3], a.row, a.scale);
    for (int64_t bin = 0; bin < a.horizontal.bins; ++bin) {
        const PixelRange columns = pixel_range(a.horizontal, a.box[0], a.box[2], bin, a.scale);
        float* y = a.y + bin * a.y_bin;
        const bool empty = rows.begin >= rows.end || columns.begin >= columns.end;
        for (int64_t c = 0; c < a.channels; c += kLanes) {
            const int lanes = lanes_of(a.channels, c);
            F32 best = set1(empty ? 0.0f : -__builtin_inff());
            for (int64_t row = rows.begin; row < rows.end; ++row)
                for (int64_t column = columns.begin; column < columns.end; ++column)
                    best =
                        max(load_n(a.x + row * a.vertical.x + column * a.horizontal.x + c, lanes),
                            best);
            store_n(y + c, best, lanes);
        }
    }
}

}  // namespace hades::HADES_ISA
