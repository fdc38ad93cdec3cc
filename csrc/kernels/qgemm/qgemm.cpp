#include "kernels/qgemm/qgemm.h"

#include <algorithm>

#include "base/epilogue_attributes.h"
#include "base/registry.h"
#include "base/rounding.h"
#include "base/rows_cost.h"
#include "formats/q8_row.h"
#include "formats/weight_operands.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/qgemm/qgemm.inc"
#undef HADES_KERNEL
};

struct QgemmParams {
    QgemmTiles* tiles;
    WeightFormat format;
    bool is_q8;
    int64_t n, k, tiles_per_chunk;
    int64_t a_row_bytes, residual_row, y_row;
    ActivationParams activation;
    RowsCost cost;
};

enum Operand { kRows, kA, kWeight, kBias, kResidual, kY };

constexpr int64_t kLongStream = 2, kLongStreamTiles = 160;
constexpr int64_t kAccBytes = kRowsAtOnce * kTilesAtOnce * kTileRows * 4;

// The float path multiplies float32 rows: widens all rows once, for every tile.
void widen_rows(const QgemmParams& q, void* const* operands, int64_t rows, Worker& worker) {
    auto* wide = static_cast<float*>(worker.shared);
    parallel_for(worker, rows, [&](int64_t row) {
        const auto* a = static_cast<const uint8_t*>(operands[kA]) + row * q.a_row_bytes;
        widen_bf16(reinterpret_cast<const uint16_t*>(a), wide + row * q.k, q.k);
    });
    sync(worker);
}

// Up to kRowsAtOnce rows from `first` on, times the tiles from `tile` on.
void multiply(const QgemmParams& q, void* const* operands, int64_t tile, int64_t first,
              int64_t rows, Worker& worker) {
    QgemmTilesArgs args = {};
    args.tile_bytes = tile_bytes(q.format, q.k);
    args.weight = static_cast<const uint8_t*>(operands[kWeight]) + tile * args.tile_bytes;
    args.tiles = std::min(q.tiles_per_chunk, tiles_of(q.n) - tile);
    args.k = q.k;
    args.a_row_bytes = q.is_q8 ? q.a_row_bytes : q.k * 4;
    args.a = static_cast<const uint8_t*>(q.is_q8 ? operands[kA] : worker.shared) +
             first * args.a_row_bytes;
    args.m = rows;
    args.acc = static_cast<float*>(worker.scratch);
    args.panel = static_cast<uint8_t*>(worker.scratch) + kAccBytes;

    const int64_t column = tile * kTileRows;
    QgemmEpilogue epilogue = {};
    if (operands[kBias]) epilogue.bias = static_cast<const float*>(operands[kBias]) + column;
    if (operands[kResidual])
        epilogue.residual =
            static_cast<const float*>(operands[kResidual]) + first * q.residual_row + column;
    epilogue.residual_stride = q.residual_row;
    epilogue.y = static_cast<float*>(operands[kY]) + first * q.y_row + column;
    epilogue.y_stride = q.y_row;
    epilogue.columns = std::min(args.tiles * kTileRows, q.n - column);
    epilogue.activation = q.activation;
    args.epilogue = &epilogue;
    q.tiles(args);
}

void run_qgemm(const void* params, void* const* operands, Worker& worker) {
    const auto& q = *static_cast<const QgemmParams*>(params);
    const int64_t rows = *static_cast<const int32_t*>(operands[kRows]);
    if (!q.is_q8) widen_rows(q, operands, rows, worker);
    // One row streams the weights: longer chunks break fewer streams.
    const int64_t tiles = tiles_of(q.n), step = q.tiles_per_chunk;
    const int64_t together = rows == 1 && tiles >= kLongStreamTiles ? step * kLongStream : step;
    // Rows that are multiplied at once stay in a cache for all tiles.
    const int64_t chunks = ceil_div(tiles, together);
    parallel_for(worker, chunks * ceil_div(rows, kRowsAtOnce), [&](int64_t index) {
        const int64_t first = index / chunks * kRowsAtOnce, chunk = index % chunks;
        const int64_t end = std::min(tiles, (chunk + 1) * together);
        for (int64_t tile = chunk * together; tile < end; tile += step)
            multiply(q, operands, tile, first, std::min(kRowsAtOnce, rows - first), worker);
    });
}

Status check_shapes(const OpDesc& desc, const QgemmParams& q) {
    const Tensor &a = desc.in(kA), &y = desc.out(0);
    if (!is_packed_weight(desc.in(kWeight), q.format, 1, q.n, q.k))
        return invalid("qgemm: a packed %s weight [%ld, %ld] is uint8 [%ld]", name_of(q.format),
                       long(q.n), long(q.k), long(packed_bytes(q.format, q.n, q.k)));
    if (desc.has(kBias) &&
        (!is_vector(desc.in(kBias), DType::f32) || desc.in(kBias).shape[0] != q.n))
        return invalid("qgemm: bias must be float32 [%ld]", long(q.n));
    if (!is_matrix(y, DType::f32) || y.shape[0] != a.shape[0] || y.shape[1] != q.n)
        return invalid("qgemm: y must be float32 [%ld, %ld]", long(a.shape[0]), long(q.n));
    if (desc.has(kResidual) &&
        (!is_matrix(desc.in(kResidual), DType::f32) || !same_shape(desc.in(kResidual), y)))
        return invalid("qgemm: the residual must have the shape of y");
    return {};
}

RowsCost cost_of(const OpDesc& desc, const QgemmParams& q) {
    const auto n = static_cast<double>(q.n), k = static_cast<double>(q.k);
    const double weight = static_cast<double>(packed_bytes(q.format, q.n, q.k));
    const double rows = static_cast<double>(q.a_row_bytes) + (desc.has(kResidual) ? 8 : 4) * n;
    return {{0, weight + (desc.has(kBias) ? 4 * n : 0)}, {2 * n * k, rows}};
}

// qgemm(rows, a, weight, bias?, residual?) -> y [m, n]; attributes format, n, k, activation.
Status bind_qgemm(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 5 || desc.outputs.size() != 1 || !is_rows_in_use(desc.in(kRows)))
        return invalid("qgemm takes rows int32 [1], a, weight, bias, residual and gives y");
    auto params = std::make_shared<QgemmParams>();
    QgemmParams& q = *params;
    q.n = desc.attributes.integer("n", 0);
    q.k = desc.attributes.integer("k", 0);
    if (q.n < 1) return invalid("qgemm: n=%ld must be positive", long(q.n));
    Status status = read_weight_format(desc, "format", &q.format);
    if (status.ok) status = read_activation(desc, "activation", &q.activation);
    ActivationRows rows = {};
    if (status.ok) status = check_activation_rows(desc, desc.in(kA), q.k, &rows);
    if (status.ok) status = check_shapes(desc, q);
    if (!status.ok) return status;
    q.is_q8 = rows.is_q8;
    q.a_row_bytes = rows.row_bytes;
    q.tiles = select_qgemm(q.format, q.is_q8, desc.allowed, &bound->kernel);
    if (!q.tiles) return invalid("qgemm: %s weights need bfloat16 activations", name_of(q.format));
    // A matrix of few rows is shared out tile by tile, so that everybody gets some of it.
    q.tiles_per_chunk = tiles_of(q.n) < 64 ? 1 : kTilesAtOnce;
    q.residual_row = desc.has(kResidual) ? desc.in(kResidual).strides[0] : 0;
    q.y_row = desc.out(0).strides[0];
    bound->params = params;
    bound->run = run_qgemm;
    bound->worker_scratch_bytes = static_cast<size_t>(kAccBytes + kPanelBytes);
    if (!q.is_q8) bound->shared_scratch_bytes = static_cast<size_t>(desc.in(kA).shape[0] * q.k) * 4;
    state_rows_cost(bound, &q, desc.in(kA).shape[0], cost_of(desc, q));
    return {};
}

const OpEntry kOps[] = {{"qgemm", bind_qgemm}};

}  // namespace

QgemmTiles* select_qgemm(WeightFormat format, bool is_q8, IsaMask allowed, const char** name) {
    constexpr const char* of_q8[kWeightFormats] = {
        "qgemm_mxfp4_q8", "qgemm_int4_g32_q8", "qgemm_int8_g32_q8", "qgemm_int8_row_q8", nullptr,
        nullptr};
    constexpr const char* of_f32[kWeightFormats] = {"qgemm_mxfp4_f32",    "qgemm_int4_g32_f32",
                                                    "qgemm_int8_g32_f32", "qgemm_int8_row_f32",
                                                    "qgemm_bf16_f32",     "qgemm_f32_f32"};
    const char* function = (is_q8 ? of_q8 : of_f32)[static_cast<int>(format)];
    return function ? select<QgemmTiles>(kKernels, function, allowed, name) : nullptr;
}

Family qgemm_family() { return make_family("qgemm", kOps, kKernels); }

}  // namespace hades
