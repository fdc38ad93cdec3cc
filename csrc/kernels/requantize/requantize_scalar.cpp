#include "kernels/requantize/requantize_generic.h"

namespace hades::scalar {

void requantize_u8(const GridRun& run) {
    const auto* x = static_cast<const uint8_t*>(run.x);
    auto* y = static_cast<uint8_t*>(run.y);
    for (int64_t i = 0; i < run.n; ++i) y[i * run.y_stride] = run.table[x[i * run.x_stride]];
}

}  // namespace hades::scalar
