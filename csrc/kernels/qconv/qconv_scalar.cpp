#define HADES_SCALAR_FUSES  // so that activations give the bits of the vector tiers
#include "kernels/qconv/qconv.h"
#include "simd/requantize.h"

// The specification: every output value on its own, what lies outside the image skipped. The packed
// weights of an output channel are rows of taps, each tap with its input channels in order.
namespace hades::scalar {
namespace {

// Modulo 2^32, as vectors add.
int32_t dot(const uint8_t* x, int32_t x_zero, const int8_t* w, int64_t n) {
    int32_t sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += (x[i] - x_zero) * w[i];
    return sum;
}

int32_t sum_of(const QconvArgs& a, int64_t row, int64_t column, int64_t o) {
    const ConvShape& s = a.shape->conv;
    const int64_t tap_bytes = a.plan->merged_taps ? s.ic : a.plan->quads * 4;
    const int64_t row_bytes = a.plan->merged_taps ? a.plan->quads * 4 : s.kernel_w * tap_bytes;
    const auto* w = reinterpret_cast<const int8_t*>(a.w) + a.chunk.group * a.plan->group_bytes +
                    o * a.plan->block_bytes;
    const uint8_t* x = a.x + a.chunk.image * s.x_image + a.chunk.group * s.ic;
    uint32_t sum = 0;
    for (int64_t i = 0; i < s.kernel_h; ++i) {
        const int64_t r = row * s.stride_h - s.pad_top + i * s.dilation_h;
        for (int64_t j = 0; j < s.kernel_w; ++j) {
            const int64_t c = column * s.stride_w - s.pad_left + j * s.dilation_w;
            if (r < 0 || r >= s.height || c < 0 || c >= s.width) continue;
            sum += static_cast<uint32_t>(dot(x + r * s.x_row + c * s.x_pixel, a.shape->x_zero,
                                             w + i * row_bytes + j * tap_bytes, s.ic));
        }
    }
    const int64_t channel = a.chunk.group * s.oc + o;
    return static_cast<int32_t>(sum + static_cast<uint32_t>(a.bias ? a.bias[channel] : 0));
}

void compute(const QconvArgs& a, int64_t row, int64_t column, int64_t channel, int32_t sum) {
    const ConvShape& s = a.shape->conv;
    const Requantize& r = a.shape->requantize;
    RequantizeRows to = {
        a.factor + channel, a.offset ? a.offset + channel : nullptr, nullptr, nullptr, 0, 0};
    to.y = advanced(a.y, r.y_is_bytes,
                    a.chunk.image * s.y_image + row * s.y_row + column * s.y_pixel + channel);
    if (a.residual)
        to.residual = advanced(a.residual, r.residual_is_bytes,
                               a.chunk.image * s.residual_image + row * s.residual_row +
                                   column * s.residual_pixel + channel);
    requantize_rows(r, to, &sum, 1, 1, 1);
}

// The weights of a depthwise channel: fours of rows of taps, each with its columns.
int32_t depthwise_sum_of(const QconvArgs& a, int64_t row, int64_t column, int64_t channel) {
    const ConvShape& s = a.shape->conv;
    const uint8_t* w = a.w + channel / 4 * a.plan->block_bytes + channel % 4 * 4;
    const uint8_t* x = a.x + a.chunk.image * s.x_image + channel;
    uint32_t sum = static_cast<uint32_t>(a.bias ? a.bias[channel] : 0);
    for (int64_t i = 0; i < s.kernel_h; ++i) {
        const int64_t r = row * s.stride_h - s.pad_top + i * s.dilation_h;
        for (int64_t j = 0; j < s.kernel_w; ++j) {
            const int64_t c = column * s.stride_w - s.pad_left + j * s.dilation_w;
            if (r < 0 || r >= s.height || c < 0 || c >= s.width) continue;
            const auto weight = static_cast<int8_t>(w[(i / 4 * s.kernel_w + j) * 16 + i % 4]);
            const int32_t value = x[r * s.x_row + c * s.x_pixel] - a.shape->x_zero;
            sum += static_cast<uint32_t>(value * weight);
        }
    }
    return static_cast<int32_t>(sum);
}

void run(const QconvArgs& a) {
    for (int64_t row = a.chunk.row_begin; row < a.chunk.row_end; ++row)
        for (int64_t column = a.chunk.column_begin; column < a.chunk.column_end; ++column)
            for (int64_t o = a.chunk.block_begin; o < a.chunk.block_end; ++o)
                compute(a, row, column, a.chunk.group * a.shape->conv.oc + o,
                        sum_of(a, row, column, o));
}

void run_depthwise(const QconvArgs& a) {
    for (int64_t row = a.chunk.row_begin; row < a.chunk.row_end; ++row)
        for (int64_t column = a.chunk.column_begin; column < a.chunk.column_end; ++column)
            for (int64_t channel = 0; channel < a.shape->conv.groups; ++channel)
                compute(a, row, column, channel, depthwise_sum_of(a, row, column, channel));
}

}  // namespace

QconvKernel qconv_u8() { return {1, 1, false, run}; }

QconvKernel qconv_depthwise_u8() { return {1, 4, false, run_depthwise}; }

}  // namespace hades::scalar
