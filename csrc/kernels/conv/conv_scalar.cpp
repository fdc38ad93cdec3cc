#include "base/rounding.h"
#include "kernels/conv/depthwise_generic.h"
#include "kernels/conv/dot_generic.h"
#include "kernels/conv/winograd.h"

// The specification of direct convolution: every output value on its own, taps outside the image
// skipped. Weights are packed as for vectors, a short row of them at a time.
namespace hades::scalar {
namespace {

constexpr int kPackedLanes = 8;

int64_t packed_width(int64_t oc_left) {
    return oc_left > kPackedLanes ? 2 * kPackedLanes : kPackedLanes;
}

struct TileGroups {
    int64_t tiles;

    explicit TileGroups(int64_t count) : tiles(count) {}
};

void multiply_plane(PlaneProduct t, const TileGroups& groups, int64_t width) {
    for (int64_t tile = 0; tile < groups.tiles; ++tile, t.x += t.pitch, t.products += t.row) {
        for (int64_t o = 0; o < width; ++o) t.products[o] = t.accumulate ? t.products[o] : 0.0f;
        for (int64_t i = 0; i < t.channels; ++i)
            for (int64_t o = 0; o < width; ++o) t.products[o] += t.x[i] * t.w[i * width + o];
    }
}

void add_tap(const float* x, const float* w, int64_t ic, int64_t width, float* sums) {
    for (int64_t i = 0; i < ic; ++i, w += width)
        for (int64_t o = 0; o < width; ++o) sums[o] += x[i] * w[o];
}

// One output pixel, one block of output channels.
void convolve_pixel(const ConvArgs& a, int64_t row, int64_t column, int64_t block) {
    const ConvShape& s = *a.shape;
    const int64_t o = block * a.plan->block;
    const int64_t oc = s.oc - o < a.plan->block ? s.oc - o : a.plan->block;
    const int64_t width = packed_width(oc);
    const int64_t packed_oc = round_up(s.oc, kPackedLanes);
    const int64_t taps = s.kernel_h * s.kernel_w;
    const float* w = a.w + (a.chunk.group * packed_oc + o) * taps * s.ic;
    const float* x = a.x + a.chunk.image * s.x_image + a.chunk.group * s.ic;
    float sums[2 * kPackedLanes] = {};
    for (int64_t i = 0; i < s.kernel_h; ++i) {
        const int64_t r = row * s.stride_h - s.pad_top + i * s.dilation_h;
        for (int64_t j = 0; j < s.kernel_w; ++j) {
            const int64_t c = column * s.stride_w - s.pad_left + j * s.dilation_w;
            if (r < 0 || r >= s.height || c < 0 || c >= s.width) continue;
            add_tap(x + r * s.x_row + c * s.x_pixel, w + (i * s.kernel_w + j) * s.ic * width, s.ic,
                    width, sums);
        }
    }
    const int64_t channel = a.chunk.group * s.oc + o;
    float* y = a.y + a.chunk.image * s.y_image + row * s.y_row + column * s.y_pixel + channel;
    const float* residual = a.residual;
    if (residual)
        residual += a.chunk.image * s.residual_image + row * s.residual_row +
                    column * s.residual_pixel + channel;
    for (int64_t k = 0; k < oc; ++k) {
        F32 value = {sums[k] + (a.bias ? a.bias[channel + k] : 0.0f)};
        value = apply(s.epilogue.activation, value);
        if (residual) value.v += residual[k];
        y[k] = apply(s.epilogue.after, value).v;
    }
}

void run_direct(const ConvArgs& a) {
    for (int64_t row = a.chunk.row_begin; row < a.chunk.row_end; ++row)
        for (int64_t column = a.chunk.column_begin; column < a.chunk.column_end; ++column)
            for (int64_t block = a.chunk.block_begin; block < a.chunk.block_end; ++block)
                convolve_pixel(a, row, column, block);
}

}  // namespace

ConvKernel conv_direct_f32() { return {kPackedLanes, false, run_direct}; }

}  // namespace hades::scalar

#include "kernels/conv/winograd_generic.h"
