#include "kernels/gemm/bind_typed.h"

#include "base/loop_nest.h"

namespace hades {
namespace {

struct Operand4 {
    int64_t bytes;  // of an element
    int64_t batch[2], row, col;
};

struct TypedParams {
    TypedRow* kernel;
    Operand4 a, b, y;
    int64_t batch, m, n, k;  // `batch`: extent of the second batch axis
    int64_t rows;            // of all matrices
};

Operand4 operand_of(const Tensor& t) {
    Operand4 operand = {static_cast<int64_t>(size_of(t.dtype)), {}, t.strides[2], t.strides[3]};
    for (int axis = 0; axis < 2; ++axis)
        operand.batch[axis] = t.shape[axis] == 1 ? 0 : t.strides[axis];
    return operand;
}

int64_t offset_of(const Operand4& operand, int64_t first, int64_t second, int64_t row) {
    return (first * operand.batch[0] + second * operand.batch[1] + row * operand.row) *
           operand.bytes;
}

void run_typed(const void* params, void* const* operands, Worker& worker) {
    const auto& p = *static_cast<const TypedParams*>(params);
    parallel_for(worker, p.rows, [&](int64_t index) {
        const int64_t row = index % p.m, matrix = index / p.m;
        const int64_t first = matrix / p.batch, second = matrix % p.batch;
        p.kernel({static_cast<const char*>(operands[0]) + offset_of(p.a, first, second, row),
                  static_cast<const char*>(operands[1]) + offset_of(p.b, first, second, 0),
                  static_cast<char*>(operands[4]) + offset_of(p.y, first, second, row), p.a.col,
                  p.b.row, p.b.col, p.y.col, p.k, p.n});
    });
}

bool fits(const Tensor& t, const Tensor& y, int64_t rows, int64_t columns) {
    return t.rank == 4 && t.dtype == y.dtype && t.shape[0] == y.shape[0] &&
           t.shape[1] == y.shape[1] && t.shape[2] == rows && t.shape[3] == columns;
}

}  // namespace

Status bind_typed_matmul(const OpDesc& desc, FindTypedRow* find, BoundOp* bound) {
    const Tensor &a = desc.in(0), &b = desc.in(1), &y = desc.out(0);
    if (y.rank != 4 || a.rank != 4 || !fits(a, y, y.shape[2], a.shape[3]) ||
        !fits(b, y, a.shape[3], y.shape[3]))
        return invalid("matmul: a [b1,b2,m,k], b [b1,b2,k,n] and y must fit and have one dtype");
    if (desc.has(2) || desc.has(3) || desc.attributes.real("alpha", 1.0) != 1.0 ||
        desc.attributes.find("activation") || desc.attributes.find("after"))
        return invalid("matmul: bias, residual, alpha and activations are for float32 only");
    auto params = std::make_shared<TypedParams>();
    params->kernel = find(y.dtype);
    if (!params->kernel) return invalid("matmul: not defined for %s", name_of(y.dtype));
    params->a = operand_of(a);
    params->b = operand_of(b);
    params->y = operand_of(y);
    params->batch = y.shape[1];
    params->m = y.shape[2];
    params->n = y.shape[3];
    params->k = a.shape[3];
    params->rows = y.shape[0] * y.shape[1] * y.shape[2];
    bound->run = run_typed;
    bound->params = params;
    bound->flops = 2.0 * static_cast<double>(element_count(y)) * static_cast<double>(params->k);
    bound->bytes = touched_bytes(a) + touched_bytes(b) + touched_bytes(y);
    return {};
}

}  // namespace hades
