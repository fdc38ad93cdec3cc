#include "kernels/bconv/bconv.h"
#include "simd/epilogue.h"
#include "simd/narrow.h"

// The specification: every output value on its own, what lies outside the image skipped. The packed
// weights of an output channel are rows of taps, each tap with its input channels in order.
namespace hades::scalar {
namespace {

float sum_of(const BconvArgs& a, int64_t row, int64_t column, int64_t o) {
    const ConvShape& s = a.shape->conv;
    const int64_t tap = a.plan->merged_taps ? s.ic : a.plan->pairs * 2;
    const uint16_t* w = a.w + a.chunk.group * a.plan->group_elements + o * a.plan->block_elements;
    const uint16_t* x = a.x + a.chunk.image * s.x_image + a.chunk.group * s.ic;
    float sum = 0.0f;
    for (int64_t i = 0; i < s.kernel_h; ++i) {
        const int64_t r = row * s.stride_h - s.pad_top + i * s.dilation_h;
        for (int64_t j = 0; j < s.kernel_w; ++j, w += tap) {
            const int64_t c = column * s.stride_w - s.pad_left + j * s.dilation_w;
            if (r < 0 || r >= s.height || c < 0 || c >= s.width) continue;
            const uint16_t* pixel = x + r * s.x_row + c * s.x_pixel;
            for (int64_t k = 0; k < s.ic; ++k) sum += load_bf16(pixel + k).v * load_bf16(w + k).v;
        }
    }
    return sum;
}

void compute(const BconvArgs& a, int64_t row, int64_t column, int64_t o) {
    const ConvShape& s = a.shape->conv;
    const int64_t channel = a.chunk.group * s.oc + o;
    F32 value = {sum_of(a, row, column, o) + (a.bias ? a.bias[channel] : 0.0f)};
    value = apply(s.epilogue.activation, value);
    if (a.residual)
        value.v += a.residual[a.chunk.image * s.residual_image + row * s.residual_row +
                              column * s.residual_pixel + channel];
    value = apply(s.epilogue.after, value);
    const int64_t y = a.chunk.image * s.y_image + row * s.y_row + column * s.y_pixel + channel;
    if (a.shape->y_is_narrow)
        store_bf16(static_cast<uint16_t*>(a.y) + y, value);
    else
        static_cast<float*>(a.y)[y] = value.v;
}

void run(const BconvArgs& a) {
    for (int64_t row = a.chunk.row_begin; row < a.chunk.row_end; ++row)
        for (int64_t column = a.chunk.column_begin; column < a.chunk.column_end; ++column)
            for (int64_t o = a.chunk.block_begin; o < a.chunk.block_end; ++o)
                compute(a, row, column, o);
}

}  // namespace

BconvKernel conv_bf16() { return {1, 1, run}; }

}  // namespace hades::scalar
