#pragma once
#include "kernels/qconv/winograd.h"
#include "kernels/tile/strip.h"
#include "simd/words.h"

// The transforms of exact F(4x4, 3x3); see winograd.h for the matrices.
// Instructions     six values take 17 of 16 bits, or 13 of 32; a patch takes 12 or 10 such
//                  transforms
namespace hades::HADES_ISA {

struct SixWords {
    Words v[6];
};
struct SixSums {
    I32 v[6];
};

// B^T x. A point and its negative share the even and the odd part of their polynomial.
HADES_INLINE SixWords transform_input(const SixWords& x) {
    const Words near_even = x.v[4] - shift_left<2>(x.v[2]);
    const Words near_odd = x.v[3] - shift_left<2>(x.v[1]);
    const Words far_even = x.v[4] - x.v[2], half_odd = x.v[3] - x.v[1];
    const Words far_odd = half_odd + half_odd;
    SixWords r;
    r.v[0] = shift_left<2>(x.v[0] - x.v[2]) + far_even;
    r.v[1] = near_even + near_odd;
    r.v[2] = near_even - near_odd;
    r.v[3] = far_even + far_odd;
    r.v[4] = far_even - far_odd;
    r.v[5] = x.v[5] - x.v[3] - (far_odd + far_odd);
    return r;
}

// A^T m: four outputs, in v[0] to v[3].
HADES_INLINE SixSums transform_output(const SixSums& m) {
    const I32 near_sum = m.v[1] + m.v[2], near_difference = m.v[1] - m.v[2];
    const I32 far_sum = m.v[3] + m.v[4], far_difference = m.v[3] - m.v[4];
    const I32 twice = far_difference + far_difference;
    SixSums r;
    r.v[0] = m.v[0] + near_sum + far_sum;
    r.v[1] = near_difference + twice;
    r.v[2] = near_sum + shift_left<2>(far_sum);
    r.v[3] = near_difference + shift_left<2>(twice + m.v[5]);
    return r;
}

// G w, of weights.
HADES_INLINE SixWords transform_filter(Words a, Words b, Words c) {
    const Words ends = a + c, first = a + shift_left<2>(c), second = b + b;
    SixWords r;
    r.v[0] = times(a, 6);
    r.v[1] = times(ends + b, -4);
    r.v[2] = times(ends - b, -4);
    r.v[3] = first + second;
    r.v[4] = first - second;
    r.v[5] = times(c, 6);
    return r;
}

// G w G^T of `pairs` of input channels and `width` output channels: int8 [pair][tap][o][2] become
// int16 [plane][pair][o][2], planes `plane` apart.
static void transform_weights(const int8_t* w, int64_t pairs, int64_t width, int16_t* to,
                              int64_t plane) {
    const int64_t tap = 2 * width;
    for (; pairs > 0; --pairs, w += kWinogradTaps * tap, to += tap)
        for (int64_t at = 0; at < tap; at += kWords) {
            SixWords columns[3];
#pragma GCC unroll 3
            for (int j = 0; j < 3; ++j) {
                const int8_t* top = w + at + j * tap;
                columns[j] =
                    transform_filter(widen(top), widen(top + 3 * tap), widen(top + 6 * tap));
            }
            Strip<int16_t> strip(to + at, plane);
#pragma GCC unroll 6
            for (int i = 0; i < kWinogradPatch; ++i, strip.advance(kWinogradPatch * plane)) {
                const SixWords out =
                    transform_filter(columns[0].v[i], columns[1].v[i], columns[2].v[i]);
#pragma GCC unroll 6
                for (int j = 0; j < kWinogradPatch; ++j) store_words(strip.at(j), out.v[j]);
            }
        }
}

// Rows of B^T x for the columns of a patch, and all of B^T x B from them: plane 6 * i + j is stored
// at `to` plus as many times `plane`.
HADES_INLINE void transform_rows(const SixWords (&columns)[kWinogradPatch], int16_t* to,
                                 int64_t plane) {
    Strip<int16_t> strip(to, plane);
#pragma GCC unroll 6
    for (int i = 0; i < kWinogradPatch; ++i, strip.advance(kWinogradPatch * plane)) {
        SixWords in;
#pragma GCC unroll 6
        for (int j = 0; j < kWinogradPatch; ++j) in.v[j] = columns[j].v[i];
        const SixWords out = transform_input(in);
#pragma GCC unroll 6
        for (int j = 0; j < kWinogradPatch; ++j) store_words(strip.at(j), out.v[j]);
    }
}

// `count` channels of a patch inside the image.
HADES_INLINE void transform_patch(const uint8_t* x, int64_t row, int64_t pixel, int count,
                                  int16_t* to, int64_t plane) {
    SixWords columns[kWinogradPatch];
    Strip<const uint8_t> strip(x, row);
#pragma GCC unroll 6
    for (int j = 0; j < kWinogradPatch; ++j, strip.advance(pixel)) {
        SixWords in;
#pragma GCC unroll 6
        for (int i = 0; i < kWinogradPatch; ++i) in.v[i] = widen_n(strip.at(i), count);
        columns[j] = transform_input(in);
    }
    transform_rows(columns, to, plane);
}

// The same of pixels anywhere.
using PatchPixels = const uint8_t* [kWinogradPatch][kWinogradPatch];
HADES_INLINE void transform_patch(const PatchPixels& pixels, int64_t channel, int count,
                                  int16_t* to, int64_t plane) {
    SixWords columns[kWinogradPatch];
#pragma GCC unroll 6
    for (int j = 0; j < kWinogradPatch; ++j) {
        SixWords in;
#pragma GCC unroll 6
        for (int i = 0; i < kWinogradPatch; ++i) in.v[i] = widen_n(pixels[i][j] + channel, count);
        columns[j] = transform_input(in);
    }
    transform_rows(columns, to, plane);
}

// The sum of x * w, exact, from 576 times as much modulo 2^32.
HADES_INLINE I32 divided(I32 sum) {
    return shift_right<kWinogradShift>(times(sum, set1(static_cast<int32_t>(kWinogradInverse))));
}

// The 4x4 sums of one vector of channels: take(i, sums) takes row after row of them.
template <class Take>
HADES_INLINE void transform_products(const int32_t* products, int64_t plane, const Take& take) {
    SixSums columns[kWinogradPatch];
    Strip<const int32_t> strip(products, kWinogradPatch * plane);
#pragma GCC unroll 6
    for (int j = 0; j < kWinogradPatch; ++j, strip.advance(plane)) {
        SixSums in;
#pragma GCC unroll 6
        for (int i = 0; i < kWinogradPatch; ++i) in.v[i] = load(strip.at(i));
        columns[j] = transform_output(in);
    }
#pragma GCC unroll 4
    for (int i = 0; i < kWinogradOut; ++i) {
        SixSums in;
#pragma GCC unroll 6
        for (int j = 0; j < kWinogradPatch; ++j) in.v[j] = columns[j].v[i];
        const SixSums out = transform_output(in);
        const I32 sums[kWinogradOut] = {divided(out.v[0]), divided(out.v[1]), divided(out.v[2]),
                                        divided(out.v[3])};
        take(i, sums);
    }
}

}  // namespace hades::HADES_ISA
