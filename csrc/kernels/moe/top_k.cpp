#include "kernels/moe/top_k.h"

#include <algorithm>
#include <cmath>

#include "base/rounding.h"
#include "base/rows_cost.h"
#include "formats/weight_operands.h"

// A router chooses among tens of experts per token: plain code costs less than a microsecond.
namespace hades {
namespace {

struct TopKParams {
    int64_t experts, k, x_row;
    RowsCost cost;
};

// The k largest in descending order; of equals, the one that comes first. NaN is never chosen
// before a number.
void choose(const float* logits, int64_t experts, int64_t k, int32_t* ids, float* weights) {
    int64_t count = 0;
    for (int64_t e = 0; e < experts; ++e) {
        const float value = std::isnan(logits[e]) ? -INFINITY : logits[e];
        int64_t place = count;
        while (place > 0 && value > weights[place - 1]) --place;
        if (place == k) continue;
        count = std::min(count + 1, k);
        for (int64_t i = count - 1; i > place; --i) {
            ids[i] = ids[i - 1];
            weights[i] = weights[i - 1];
        }
        ids[place] = static_cast<int32_t>(e);
        weights[place] = value;
    }
}

void softmax(float* weights, int64_t k) {
    const float largest = weights[0];
    float total = 0;
    for (int64_t i = 0; i < k; ++i) total += weights[i] = std::exp(weights[i] - largest);
    for (int64_t i = 0; i < k; ++i) weights[i] /= total;
}

void run_top_k(const void* params, void* const* operands, Worker& worker) {
    const auto& t = *static_cast<const TopKParams*>(params);
    const int64_t rows = *static_cast<const int32_t*>(operands[0]);
    constexpr int64_t kRowsPerChunk = 16;
    parallel_for(worker, ceil_div(rows, kRowsPerChunk), [&](int64_t chunk) {
        const int64_t end = std::min(rows, (chunk + 1) * kRowsPerChunk);
        for (int64_t row = chunk * kRowsPerChunk; row < end; ++row) {
            float* weights = static_cast<float*>(operands[3]) + row * t.k;
            choose(static_cast<const float*>(operands[1]) + row * t.x_row, t.experts, t.k,
                   static_cast<int32_t*>(operands[2]) + row * t.k, weights);
            softmax(weights, t.k);
        }
    });
}

}  // namespace

Status bind_top_k(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 2 || desc.outputs.size() != 2 || !is_rows_in_use(desc.in(0)))
        return invalid("top_k takes rows int32 [1], logits and gives ids, weights");
    const Tensor &x = desc.in(1), &ids = desc.out(0), &weights = desc.out(1);
    if (!is_matrix(x, DType::f32) || !is_matrix(ids, DType::i32) || !is_contiguous(ids) ||
        !is_matrix(weights, DType::f32) || !is_contiguous(weights) || !same_shape(ids, weights))
        return invalid("top_k: logits float32 [m, n], ids int32 [m, k], weights float32 [m, k]");
    if (ids.shape[0] != x.shape[0] || ids.shape[1] < 1 || ids.shape[1] > x.shape[1])
        return invalid("top_k: k=%ld of %ld", long(ids.shape[1]), long(x.shape[1]));
    auto params = std::make_shared<TopKParams>();
    *params = {x.shape[1], ids.shape[1], x.strides[0], {}};
    bound->params = params;
    bound->run = run_top_k;
    bound->kernel = "top_k";
    const auto experts = static_cast<double>(params->experts);
    const double row_bytes = 4 * experts + 8 * static_cast<double>(params->k);
    state_rows_cost(bound, params.get(), x.shape[0], {{}, {experts, row_bytes}});
    return {};
}

}  // namespace hades
