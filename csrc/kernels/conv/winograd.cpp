#include "kernels/conv/winograd.h"

namespace hades {
namespace {

constexpr double kPoints[] = {0.0, kWinogradNear, -kWinogradNear, kWinogradFar, -kWinogradFar};

// out[i * out_step] = row i of G times the three elements of `in`: the polynomial of the filter at
// each point, over the product of the distances to the other points; its leading term at infinity.
void evaluate(const double* in, int in_step, double* out, int out_step) {
    for (int i = 0; i < 5; ++i) {
        const double point = kPoints[i];
        double scale = 1.0;
        for (int j = 0; j < 5; ++j)
            if (j != i) scale *= point - kPoints[j];
        const double value = in[0] + point * (in[in_step] + point * in[2 * in_step]);
        out[i * out_step] = value / scale;
    }
    out[5 * out_step] = in[2 * in_step];
}

}  // namespace

void transform_filter(const float* filter, double* planes) {
    double wide[9], columns[18];
    for (int k = 0; k < 9; ++k) wide[k] = static_cast<double>(filter[k]);
    for (int j = 0; j < 3; ++j) evaluate(wide + j, 3, columns + j, 3);
    for (int i = 0; i < kWinogradPatch; ++i) evaluate(columns + 3 * i, 1, planes + 6 * i, 1);
}

}  // namespace hades
