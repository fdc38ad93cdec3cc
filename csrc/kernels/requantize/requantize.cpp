#include "kernels/requantize/requantize.h"

#include <algorithm>
#include <cmath>

#include "base/loop_nest.h"
#include "base/operand_shapes.h"
#include "base/registry.h"
#include "kernels/families.h"
#include "kernels/requantize/block_nest.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/requantize/requantize.inc"
#undef HADES_KERNEL
};

constexpr int64_t kChunk = 16384;  // elements

struct GridParams {
    GridFn* kernel;
    LoopNest nest;
    BlockNest blocks;
    int64_t x_size, y_size;  // bytes per element
    float scale;
    int32_t zero;
    uint8_t table[256];
    float factor, y_zero;
};

// From x to y, with a table or that of the parameters.
void run_nest(const GridParams& p, const void* x, void* y, const uint8_t* table, Worker& worker) {
    const LoopNest& nest = p.nest;
    GridRun run = {};
    run.x_stride = inner_stride(nest, 0), run.y_stride = inner_stride(nest, 1), run.rows = 1;
    run.scale = p.scale, run.zero = p.zero, run.table = table;
    run.factor = p.factor, run.y_zero = p.y_zero;
    const auto at = [&](int64_t x_offset, int64_t y_offset) {
        run.x = static_cast<const char*>(x) + x_offset * p.x_size;
        run.y = static_cast<char*>(y) + y_offset * p.y_size;
    };
    if (p.blocks.count) {
        run.x_row = 1, run.y_row = p.blocks.y_row;
        return parallel_for(worker, p.blocks.count, [&](int64_t index) {
            const NestBlock block = block_at(p.blocks, index);
            at(block.x, block.y);
            run.rows = block.rows, run.n = block.columns;
            p.kernel(run);
        });
    }
    parallel_for(worker, (nest.count + kChunk - 1) / kChunk, [&](int64_t chunk) {
        const int64_t begin = chunk * kChunk;
        const int64_t end = begin + kChunk < nest.count ? begin + kChunk : nest.count;
        for_each_run(nest, begin, end, [&](const int64_t* offsets, int64_t n) {
            at(offsets[0], offsets[1]);
            run.n = n;
            p.kernel(run);
        });
    });
}

void run_grid(const void* params, void* const* operands, Worker& worker) {
    const auto& p = *static_cast<const GridParams*>(params);
    run_nest(p, operands[0], operands[1], p.table, worker);
}

void run_lookup(const void* params, void* const* operands, Worker& worker) {
    run_nest(*static_cast<const GridParams*>(params), operands[0], operands[2],
             static_cast<const uint8_t*>(operands[1]), worker);
}

struct Grid {
    float scale;
    int32_t zero;
};

Status read_grid(const OpDesc& desc, const char* scale, const char* zero, Grid* grid) {
    const int64_t zero_point = desc.attributes.integer(zero, 0);
    grid->scale = static_cast<float>(desc.attributes.real(scale, 1.0));
    grid->zero = static_cast<int32_t>(zero_point);
    if (!(grid->scale > 0.0f) || !std::isfinite(grid->scale))
        return invalid("%s: %s must be positive and finite", desc.op.c_str(), scale);
    if (zero_point < 0 || zero_point > 255)
        return invalid("%s: %s=%lld must be from 0 to 255", desc.op.c_str(), zero,
                       static_cast<long long>(zero_point));
    return {};
}

Status bind(const OpDesc& desc, const char* function, DType x, DType y,
            const std::shared_ptr<GridParams>& params, BoundOp* bound) {
    const char* op = desc.op.c_str();
    if (desc.in(0).dtype != x || desc.out(0).dtype != y || !same_shape(desc.in(0), desc.out(0)))
        return invalid("%s: x must be %s, and y %s of its shape", op, name_of(x), name_of(y));
    const Tensor* tensors[] = {&desc.in(0), &desc.out(0)};
    params->nest = make_loop_nest(tensors, 2);
    if (x != y) params->blocks = make_block_nest(params->nest);
    params->x_size = static_cast<int64_t>(size_of(x));
    params->y_size = static_cast<int64_t>(size_of(y));
    params->kernel = select<GridFn>(kKernels, function, desc.allowed, &bound->kernel);
    bound->params = params;
    bound->run = run_grid;
    bound->flops = 4 * static_cast<double>(params->nest.count);
    bound->bytes = touched_bytes(desc.in(0)) + touched_bytes(desc.out(0));
    return {};
}

Status check_unary(const OpDesc& desc) {
    const bool is_unary = desc.inputs.size() == 1 && desc.outputs.size() == 1 && desc.has(0);
    return is_unary ? Status{} : invalid("%s takes x and gives y", desc.op.c_str());
}

Status bind_one_grid(const OpDesc& desc, const char* function, DType x, DType y, BoundOp* bound) {
    auto params = std::make_shared<GridParams>();
    Grid grid;
    Status status = check_unary(desc);
    if (status.ok) status = read_grid(desc, "scale", "zero", &grid);
    if (!status.ok) return status;
    params->scale = grid.scale, params->zero = grid.zero;
    return bind(desc, function, x, y, params, bound);
}

// quantize_u8(x) -> y; attributes scale, zero.
Status bind_quantize(const OpDesc& desc, BoundOp* bound) {
    return bind_one_grid(desc, "quantize_u8", DType::f32, DType::u8, bound);
}

// dequantize_u8(x) -> y; attributes scale, zero.
Status bind_dequantize(const OpDesc& desc, BoundOp* bound) {
    return bind_one_grid(desc, "dequantize_u8", DType::u8, DType::f32, bound);
}

// The kernels' own arithmetic, once for each byte.
void fill_table(const Grid& from, const Grid& to, uint8_t* table) {
    float values[256];
    uint8_t bytes[256];
    for (int i = 0; i < 256; ++i) bytes[i] = static_cast<uint8_t>(i);
    const char* name;
    const IsaMask none = 0;  // the specification
    select<GridFn>(kKernels, "dequantize_u8", none, &name)(
        {bytes, values, 1, 1, 256, 0, 0, 1, from.scale, from.zero, nullptr, 0, 0});
    select<GridFn>(kKernels, "quantize_u8", none,
                   &name)({values, table, 1, 1, 256, 0, 0, 1, to.scale, to.zero, nullptr, 0, 0});
}

// Whether a multiplication gives the table, in the arithmetic of the vector kernels.
bool gives(float factor, const Grid& from, const Grid& to, const uint8_t* table) {
    for (int i = 0; i < 256; ++i) {
        const float low = static_cast<float>(-to.zero), high = static_cast<float>(255 - to.zero);
        const float v = static_cast<float>(i - from.zero) * factor;
        const float limited = v < low ? low : v > high ? high : v;
        if (static_cast<int>(std::nearbyint(limited)) + to.zero != table[i]) return false;
    }
    return true;
}

// A factor that gives the table without dividing: the quotient of the scales, or the middle of what
// keeps every byte within half a step. 0 where there is none.
float factor_of(const Grid& from, const Grid& to, const uint8_t* table) {
    const float quotient = from.scale / to.scale;
    if (quotient > 1e6f) return 0.0f;
    if (gives(quotient, from, to, table)) return quotient;
    double least = 0.0, most = HUGE_VAL;
    for (int i = 0; i < 256; ++i) {
        const int steps = i - from.zero, point = table[i] - to.zero;
        if (steps == 0 || table[i] == 0 || table[i] == 255) continue;
        const double a = (point - 0.5) / steps, b = (point + 0.5) / steps;
        least = std::max(least, std::min(a, b));
        most = std::min(most, std::max(a, b));
    }
    const float middle = static_cast<float>((least + most) / 2);
    return most < HUGE_VAL && gives(middle, from, to, table) ? middle : 0.0f;
}

// requantize(x) -> y; attributes x_scale, x_zero, y_scale, y_zero.
Status bind_requantize(const OpDesc& desc, BoundOp* bound) {
    auto params = std::make_shared<GridParams>();
    Grid from, to;
    Status status = check_unary(desc);
    if (status.ok) status = read_grid(desc, "x_scale", "x_zero", &from);
    if (status.ok) status = read_grid(desc, "y_scale", "y_zero", &to);
    if (!status.ok) return status;
    fill_table(from, to, params->table);
    params->zero = from.zero;
    params->factor = factor_of(from, to, params->table);
    params->y_zero = static_cast<float>(to.zero);
    return bind(desc, "requantize_u8", DType::u8, DType::u8, params, bound);
}

// lookup(x, table) -> y
Status bind_lookup(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 2 || desc.outputs.size() != 1 || !desc.has(0) || !desc.has(1))
        return invalid("lookup takes x and table and gives y");
    if (!is_vector(desc.in(1), DType::u8) || desc.in(1).shape[0] != 256)
        return invalid("lookup: table must be contiguous uint8 [256]");
    const Status status =
        bind(desc, "requantize_u8", DType::u8, DType::u8, std::make_shared<GridParams>(), bound);
    bound->run = run_lookup;
    return status;
}

const OpEntry kOps[] = {{"requantize", bind_requantize},
                        {"lookup", bind_lookup},
                        {"quantize_u8", bind_quantize},
                        {"dequantize_u8", bind_dequantize}};

}  // namespace

Family requantize_family() { return make_family("requantize", kOps, kKernels); }

}  // namespace hades
