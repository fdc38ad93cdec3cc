#pragma once
#include "kernels/conv/winograd.h"
#include "kernels/tile/strip.h"
#include "simd/simd.h"

// The transforms of F(4x4, 3x3) in one dimension; see winograd.h for the points.
// Instructions     six values take 12 multiply-adds or as many additions, those of a filter 11
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

// G w: the polynomial with these coefficients at each point, over the product of the point's
// distances to the others; its leading term at infinity.
HADES_INLINE Six transform_filter(F32 w0, F32 w1, F32 w2) {
    constexpr float kZeroScale = 1 / (kNear2 * kFar2);
    constexpr float kNearScale = 1 / (2 * kNear2 * (kNear2 - kFar2));
    constexpr float kFarScale = 1 / (2 * kFar2 * (kFar2 - kNear2));
    const F32 near_even = set1(kNearScale) * fma(set1(kNear2), w2, w0);
    const F32 far_even = set1(kFarScale) * fma(set1(kFar2), w2, w0);
    const F32 near_odd = set1(kNear * kNearScale), far_odd = set1(kFar * kFarScale);
    Six r;
    r.v[0] = set1(kZeroScale) * w0;
    r.v[1] = fma(near_odd, w1, near_even);
    r.v[2] = fnma(near_odd, w1, near_even);
    r.v[3] = fma(far_odd, w1, far_even);
    r.v[4] = fnma(far_odd, w1, far_even);
    r.v[5] = w2;
    return r;
}

// All of G w G^T for one vector of filters whose taps lie `tap` apart. The lines that follow
// `ahead` elements later are fetched: a store that has to wait for its line holds up the others.
HADES_INLINE void transform_filters(const float* w, int64_t tap, float* to, int64_t plane,
                                    int64_t ahead) {
    Six columns[3];
#pragma GCC unroll 3
    for (int j = 0; j < 3; ++j)
        columns[j] =
            transform_filter(load(w + j * tap), load(w + (3 + j) * tap), load(w + (6 + j) * tap));
    Strip<float> strip(to, plane);
#pragma GCC unroll 6
    for (int i = 0; i < kWinogradPatch; ++i, strip.advance(kWinogradPatch * plane)) {
        const Six out = transform_filter(columns[0].v[i], columns[1].v[i], columns[2].v[i]);
#pragma GCC unroll 6
        for (int j = 0; j < kWinogradPatch; ++j) {
            store(strip.at(j), out.v[j]);
            __builtin_prefetch(strip.at(j) + ahead, 1);
        }
    }
}

// Rows of B^T x for the columns of a patch, and all of B^T x B from them: plane 6 * i + j is stored
// at `to` plus as many times `plane`.
HADES_INLINE void transform_rows(const Six (&columns)[kWinogradPatch], float* to, int64_t plane) {
    Strip<float> strip(to, plane);
#pragma GCC unroll 6
    for (int i = 0; i < kWinogradPatch; ++i, strip.advance(kWinogradPatch * plane)) {
        Six in;
#pragma GCC unroll 6
        for (int j = 0; j < kWinogradPatch; ++j) in.v[j] = columns[j].v[i];
        const Six out = transform_input(in);
#pragma GCC unroll 6
        for (int j = 0; j < kWinogradPatch; ++j) store(strip.at(j), out.v[j]);
    }
}

// One vector of channels of a patch inside the image.
HADES_INLINE void transform_patch(const float* x, int64_t row, int64_t pixel, int lanes, float* to,
                                  int64_t plane) {
    Six columns[kWinogradPatch];
    Strip<const float> strip(x, row);
#pragma GCC unroll 6
    for (int j = 0; j < kWinogradPatch; ++j, strip.advance(pixel)) {
        Six in;
#pragma GCC unroll 6
        for (int i = 0; i < kWinogradPatch; ++i) in.v[i] = load_n(strip.at(i), lanes);
        columns[j] = transform_input(in);
    }
    transform_rows(columns, to, plane);
}

// The same of pixels anywhere.
using PatchPixels = const float* [kWinogradPatch][kWinogradPatch];
HADES_INLINE void transform_patch(const PatchPixels& pixels, int64_t channel, int lanes, float* to,
                                  int64_t plane) {
    Six columns[kWinogradPatch];
#pragma GCC unroll 6
    for (int j = 0; j < kWinogradPatch; ++j) {
        Six in;
#pragma GCC unroll 6
        for (int i = 0; i < kWinogradPatch; ++i) in.v[i] = load_n(pixels[i][j] + channel, lanes);
        columns[j] = transform_input(in);
    }
    transform_rows(columns, to, plane);
}

// The 4x4 outputs of one vector of channels: take(i, j, sum) takes them, row by row.
template <class Take>
HADES_INLINE void transform_products(const float* products, int64_t plane, const Take& take) {
    Six columns[kWinogradPatch];
    Strip<const float> strip(products, kWinogradPatch * plane);
#pragma GCC unroll 6
    for (int j = 0; j < kWinogradPatch; ++j, strip.advance(plane)) {
        Six in;
#pragma GCC unroll 6
        for (int i = 0; i < kWinogradPatch; ++i) in.v[i] = load(strip.at(i));
        columns[j] = transform_output(in);
    }
#pragma GCC unroll 4
    for (int i = 0; i < kWinogradOut; ++i) {
        Six in;
#pragma GCC unroll 6
        for (int j = 0; j < kWinogradPatch; ++j) in.v[j] = columns[j].v[i];
        const Six out = transform_output(in);
#pragma GCC unroll 4
        for (int j = 0; j < kWinogradOut; ++j) take(i, j, out.v[j]);
    }
}

}  // namespace hades::HADES_ISA
