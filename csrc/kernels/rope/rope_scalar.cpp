#include <cmath>

#include "kernels/rope/rope_generic.h"

namespace hades::scalar {

// Angles in float64: at position 100000, float32 would be wrong by a hundredth of a radian. A step
// needs them once for all layers, so one tier is enough.
void rope_table_f32(const RopeTableArgs& args) {
    for (int64_t row = 0; row < args.rows; ++row) {
        float* table = args.table + row * 2 * args.half;
        for (int64_t i = 0; i < args.half; ++i) {
            const double angle =
                double{args.inverse_frequencies[i]} * static_cast<double>(args.positions[row]);
            table[i] = static_cast<float>(std::cos(angle) * args.factor);
            table[args.half + i] = static_cast<float>(std::sin(angle) * args.factor);
        }
    }
}

}  // namespace hades::scalar
