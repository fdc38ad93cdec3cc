#include "kernels/pool/pool.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/rounding.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/pool/pool.inc"
#undef HADES_KERNEL
};

constexpr int64_t kLargestPlane = INT32_MAX;  // whose places fit a lane

struct PoolParams {
    PoolRow* kernel;
    PoolRowArgs row;
    int64_t images, out_h, rows_per_chunk;
    int64_t element;  // bytes
    int64_t x_image, y_image, y_row, i_image, i_row, index_image;
};

void run_row(const PoolParams& pool, int64_t index, void* const* operands) {
    const int64_t image = index / pool.out_h;
    PoolRowArgs row = pool.row;
    row.row = index % pool.out_h;
    row.x = static_cast<const char*>(operands[0]) + image * pool.x_image * pool.element;
    row.y = static_cast<char*>(operands[1]) +
            (image * pool.y_image + row.row * pool.y_row) * pool.element;
    if (row.index_pixel)
        row.indices =
            static_cast<int64_t*>(operands[2]) + image * pool.i_image + row.row * pool.i_row;
    row.index_base = image * pool.index_image;
    pool.kernel(row);
}

void run_pool(const void* params, void* const* operands, Worker& worker) {
    const auto& pool = *static_cast<const PoolParams*>(params);
    const int64_t rows = pool.images * pool.out_h;
    const int64_t chunks = ceil_div(rows, pool.rows_per_chunk);
    parallel_for(worker, chunks, [&](int64_t chunk) {
        const int64_t first = chunk * pool.rows_per_chunk;
        const int64_t last = std::min(first + pool.rows_per_chunk, rows);
        for (int64_t row = first; row < last; ++row) run_row(pool, row, operands);
    });
}

// The geometry of axis 0 (vertical) or 1 (horizontal).
Status read_axis(const OpDesc& desc, int which, PoolAxis* axis) {
    const auto entry = [&](const char* name, int64_t fallback, size_t index, size_t count) {
        const auto values = desc.attributes.integers(name, std::vector<int64_t>(count, fallback));
        return values.size() == count ? values[index] : INT64_MIN;
    };
    const auto i = static_cast<size_t>(which);
    axis->in = desc.in(0).shape[2 + which];
    axis->kernel = entry("kernel", INT64_MIN, i, 2);
    axis->stride = entry("strides", 1, i, 2);
    axis->dilation = entry("dilations", 1, i, 2);
    axis->pad = entry("pads", 0, i, 4);
    const int64_t end = entry("pads", 0, i + 2, 4);
    axis->padded_end = axis->in + end;
    if (axis->kernel < 1 || axis->stride < 1 || axis->dilation < 1 || axis->pad < 0 || end < 0)
        return invalid(
            "%s: kernel, strides and dilations need two entries of at least 1, pads "
            "four of at least 0",
            desc.op.c_str());
    return {};
}

const char* suffix_of(DType dtype) {
    switch (dtype) {
        case DType::f32:
            return "f32";
        case DType::f64:
            return "f64";
        case DType::u8:
            return "u8";
        case DType::i8:
            return "i8";
        default:
            return "";
    }
}

bool is_pooled(const Tensor& x, const Tensor& y) {
    return x.rank == 4 && y.rank == 4 && x.shape[0] == y.shape[0] && x.shape[1] == y.shape[1];
}

void set_strides(const Tensor& x, const Tensor& y, PoolParams* pool) {
    PoolRowArgs& row = pool->row;
    row.channels = x.shape[1];
    row.out_w = y.shape[3];
    row.x_channel = x.strides[1];
    row.x_row = x.strides[2];
    row.x_pixel = x.strides[3];
    row.y_channel = y.strides[1];
    row.y_pixel = y.strides[3];
    pool->images = x.shape[0];
    pool->out_h = y.shape[2];
    pool->x_image = x.strides[0];
    pool->y_image = y.strides[0];
    pool->y_row = y.strides[2];
    pool->element = static_cast<int64_t>(size_of(x.dtype));
    pool->rows_per_chunk = std::max<int64_t>(
        1, 16384 / std::max<int64_t>(1, row.channels * row.out_w * row.vertical.kernel));
}

// Indices count the elements of x [n, c, h, w] in row-major order, or with storage_order 1 as if
// h were the innermost axis.
void set_indices(const OpDesc& desc, PoolParams* pool) {
    const Tensor &x = desc.in(0), &indices = desc.out(1);
    const bool column_major = desc.attributes.integer("storage_order", 0) == 1;
    pool->i_image = indices.strides[0];
    pool->i_row = indices.strides[2];
    pool->row.i_channel = indices.strides[1];
    pool->row.i_pixel = indices.strides[3];
    pool->row.index_row = column_major ? 1 : x.shape[3];
    pool->row.index_pixel = column_major ? x.shape[2] : 1;
    pool->row.index_channel = x.shape[2] * x.shape[3];
    pool->index_image = x.shape[1] * pool->row.index_channel;
}

std::string kernel_name(const std::string& function, const OpDesc& desc) {
    const Tensor &x = desc.in(0), &y = desc.out(0);
    const bool dense = x.shape[1] == 1 || (x.strides[1] == 1 && y.strides[1] == 1);
    const bool has_indices = desc.outputs.size() > 1;
    const bool floats =
        x.dtype == DType::f32 && (!has_indices || x.shape[2] * x.shape[3] <= kLargestPlane);
    const bool fast = dense && (floats || (x.dtype == DType::u8 && !has_indices));
    return function + (!fast ? "_any_" : has_indices ? "_indices_" : "_") + suffix_of(x.dtype);
}

// The grids of bytes: attributes x_scale, x_zero, y_scale, y_zero.
Status read_grids(const OpDesc& desc, PoolRowArgs* row) {
    const int64_t x_zero = desc.attributes.integer("x_zero", 0);
    const int64_t y_zero = desc.attributes.integer("y_zero", 0);
    row->x_scale = static_cast<float>(desc.attributes.real("x_scale", 1.0));
    row->y_scale = static_cast<float>(desc.attributes.real("y_scale", 1.0));
    row->x_zero = static_cast<float>(x_zero);
    row->y_zero = static_cast<float>(y_zero);
    if (x_zero < 0 || x_zero > 255 || y_zero < 0 || y_zero > 255)
        return invalid("%s: zero points must be from 0 to 255", desc.op.c_str());
    if (!(row->x_scale > 0.0f) || !(row->y_scale > 0.0f))
        return invalid("%s: scales must be positive", desc.op.c_str());
    return {};
}

Status bind_pool(const OpDesc& desc, const std::string& function, BoundOp* bound) {
    const Tensor &x = desc.in(0), &y = desc.out(0);
    if (!is_pooled(x, y) || x.dtype != y.dtype)
        return invalid("%s: x and y must be [n, c, h, w] of one dtype, n and c", desc.op.c_str());
    auto params = std::make_shared<PoolParams>();
    if (Status status = read_axis(desc, 0, &params->row.vertical); !status.ok) return status;
    if (Status status = read_axis(desc, 1, &params->row.horizontal); !status.ok) return status;
    if (Status status = read_grids(desc, &params->row); !status.ok) return status;
    params->row.count_include_pad = desc.attributes.integer("count_include_pad", 0) != 0;
    set_strides(x, y, params.get());
    if (desc.outputs.size() > 1) set_indices(desc, params.get());

    const std::string name = function == "max_pool_bf16" ? function : kernel_name(function, desc);
    params->kernel = select<PoolRow>(kKernels, name.c_str(), desc.allowed, &bound->kernel);
    if (!params->kernel)
        return invalid("%s: dtype %s is not supported", desc.op.c_str(), name_of(x.dtype));
    bound->run = run_pool;
    bound->params = params;
    const double taps = static_cast<double>(params->row.vertical.kernel) *
                        static_cast<double>(params->row.horizontal.kernel);
    bound->flops = taps * static_cast<double>(element_count(y));
    bound->bytes = static_cast<double>((element_count(x) + element_count(y)) * params->element);
    return {};
}

// max_pool(x [n, c, h, w]) -> y, indices int64?
Status bind_max_pool(const OpDesc& desc, BoundOp* bound) {
    const size_t outputs = desc.outputs.size();
    if (desc.inputs.size() != 1 || !desc.has(0) || outputs < 1 || outputs > 2)
        return invalid("max_pool takes x and gives y and perhaps indices");
    if (outputs == 2 && (desc.out(1).dtype != DType::i64 || !same_shape(desc.out(0), desc.out(1))))
        return invalid("max_pool: indices must be int64 of the shape of y");
    return bind_pool(desc, "max_pool", bound);
}

// average_pool(x [n, c, h, w]) -> y
Status bind_average_pool(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 1 || !desc.has(0) || desc.outputs.size() != 1)
        return invalid("average_pool takes x and gives y");
    return bind_pool(desc, "average_pool", bound);
}

// max_pool_bf16(x [n, c, h, w]) -> y, both channels-last; a bfloat16 is the uint16 of its bits
Status bind_max_pool_bf16(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 1 || !desc.has(0) || desc.outputs.size() != 1)
        return invalid("max_pool_bf16 takes x and gives y");
    for (const Tensor* t : {&desc.in(0), &desc.out(0)})
        if (t->dtype != DType::u16 || t->rank != 4 ||
            (element_count(*t) > 0 && t->shape[1] > 1 && t->strides[1] != 1))
            return invalid("max_pool_bf16: x and y must be uint16 [n, c, h, w], channels-last");
    return bind_pool(desc, "max_pool_bf16", bound);
}

const OpEntry kOps[] = {{"max_pool", bind_max_pool},
                        {"max_pool_bf16", bind_max_pool_bf16},
                        {"average_pool", bind_average_pool}};

}  // namespace

Family pool_family() { return make_family("pool", kOps, kKernels); }

}  // namespace hades
