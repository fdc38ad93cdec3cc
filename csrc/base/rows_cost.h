#pragma once
#include "base/op.h"

namespace hades {

// The cost of an operator whose first operand is the number of rows in use, int32 [1].
struct RowsCost {
    Cost once;  // as soon as there is a row: weights that all rows share
    Cost per_row;

    Cost of(int64_t rows) const {
        if (rows <= 0) return {};
        const auto n = static_cast<double>(rows);
        return {once.flops + n * per_row.flops, once.bytes + n * per_row.bytes};
    }
};

template <class Params>
Cost cost_of_rows_in_use(const void* params, void* const* operands) {
    const RowsCost& cost = static_cast<const Params*>(params)->cost;
    return cost.of(*static_cast<const int32_t*>(operands[0]));
}

// For params with a member `RowsCost cost`; there are never more than `most` rows.
template <class Params>
void state_rows_cost(BoundOp* bound, Params* params, int64_t most, const RowsCost& cost) {
    params->cost = cost;
    bound->cost = cost_of_rows_in_use<Params>;
    state_cost(bound, cost.of(most));
}

}  // namespace hades
