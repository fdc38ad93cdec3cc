#include "kernels/pool/pool_bf16_generic.h"
#include "kernels/pool/pool_bytes_generic.h"
#include "kernels/pool/pool_generic.h"
#include "simd/storage.h"

namespace hades::scalar {
namespace {

// The first largest element in row-major order wins; NaN never does.
template <class T>
void max_of_window(const PoolRowArgs& a, const Taps& vertical, const Taps& horizontal, int64_t c,
                   T* y, int64_t* index) {
    const T* x = static_cast<const T*>(a.x) + c * a.x_channel;
    T best = typed::kLowest<T>;
    int64_t best_h = vertical.origin + vertical.first * a.vertical.dilation;
    int64_t best_w = horizontal.origin + horizontal.first * a.horizontal.dilation;
    for (int64_t ky = vertical.first; ky < vertical.last; ++ky) {
        for (int64_t kx = horizontal.first; kx < horizontal.last; ++kx) {
            const int64_t h = vertical.origin + ky * a.vertical.dilation;
            const int64_t w = horizontal.origin + kx * a.horizontal.dilation;
            const T value = x[h * a.x_row + w * a.x_pixel];
            if (!(value > best)) continue;
            best = value;
            best_h = h;
            best_w = w;
        }
    }
    *y = best;
    if (index)
        *index = a.index_base + c * a.index_channel + best_h * a.index_row + best_w * a.index_pixel;
}

template <class T>
void mean_of_window(const PoolRowArgs& a, const Taps& vertical, const Taps& horizontal, int64_t c,
                    T* y) {
    const T* x = static_cast<const T*>(a.x) + c * a.x_channel;
    T total = 0;
    for (int64_t ky = vertical.first; ky < vertical.last; ++ky)
        for (int64_t kx = horizontal.first; kx < horizontal.last; ++kx)
            total += x[(vertical.origin + ky * a.vertical.dilation) * a.x_row +
                       (horizontal.origin + kx * a.horizontal.dilation) * a.x_pixel];
    const int64_t count = count_of(a, vertical, horizontal);
    *y = total / static_cast<T>(count > 0 ? count : 1);
}

template <class Body>
void for_each_window(const PoolRowArgs& a, Body&& body) {
    const Taps vertical = taps_of(a.vertical, a.row);
    for (int64_t ox = 0; ox < a.out_w; ++ox) {
        const Taps horizontal = taps_of(a.horizontal, ox);
        for (int64_t c = 0; c < a.channels; ++c) body(vertical, horizontal, ox, c);
    }
}

template <class T>
void max_pool_any(const PoolRowArgs& a) {
    for_each_window(a, [&](const Taps& vertical, const Taps& horizontal, int64_t ox, int64_t c) {
        T* y = static_cast<T*>(a.y) + ox * a.y_pixel + c * a.y_channel;
        int64_t* index = a.indices ? a.indices + ox * a.i_pixel + c * a.i_channel : nullptr;
        max_of_window<T>(a, vertical, horizontal, c, y, index);
    });
}

template <class T>
void average_pool_any(const PoolRowArgs& a) {
    for_each_window(a, [&](const Taps& vertical, const Taps& horizontal, int64_t ox, int64_t c) {
        T* y = static_cast<T*>(a.y) + ox * a.y_pixel + c * a.y_channel;
        mean_of_window<T>(a, vertical, horizontal, c, y);
    });
}

}  // namespace

void max_pool_any_f32(const PoolRowArgs& a) { max_pool_any<float>(a); }
void max_pool_any_f64(const PoolRowArgs& a) { max_pool_any<double>(a); }
void max_pool_any_u8(const PoolRowArgs& a) { max_pool_any<uint8_t>(a); }
void max_pool_any_i8(const PoolRowArgs& a) { max_pool_any<int8_t>(a); }
void average_pool_any_f32(const PoolRowArgs& a) { average_pool_any<float>(a); }
void average_pool_any_f64(const PoolRowArgs& a) { average_pool_any<double>(a); }

}  // namespace hades::scalar
