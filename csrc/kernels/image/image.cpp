#include "kernels/image/image.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/registry.h"
#include "base/rounding.h"
#include "kernels/families.h"
#include "kernels/image/taps.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/image/image.inc"
#undef HADES_KERNEL
};

constexpr int64_t kRowsPerChunk = 8;

// Calls body(row) for all rows, in chunks of a few neighbours.
template <class Body>
void parallel_rows(Worker& worker, int64_t rows, Body&& body) {
    parallel_for(worker, ceil_div(rows, kRowsPerChunk), [&](int64_t chunk) {
        const int64_t last = std::min((chunk + 1) * kRowsPerChunk, rows);
        for (int64_t row = chunk * kRowsPerChunk; row < last; ++row) body(row);
    });
}

bool is_pixels(const Tensor& t, int64_t channels) {
    return t.rank == 3 && t.dtype == DType::u8 && t.shape[2] == channels;
}

bool has_contiguous_rows(const Tensor& t) {
    return t.strides[2] == 1 && (t.strides[1] == t.shape[2] || t.shape[1] == 1);
}

Status expect_operands(const OpDesc& desc, size_t inputs) {
    if (desc.inputs.size() != inputs || desc.outputs.size() != 1)
        return invalid("%s takes %zu inputs and gives one output", desc.op.c_str(), inputs);
    for (const Operand& operand : desc.inputs)
        if (!operand.present || element_count(operand.tensor) == 0)
            return invalid("%s: no input may be omitted or empty", desc.op.c_str());
    if (element_count(desc.out(0)) == 0) return invalid("%s: the output is empty", desc.op.c_str());
    return {};
}

struct NormalizeParams {
    NormalizeRow* kernel;
    NormalizeArgs args;
    TapTable rows, columns;
    int64_t out_height;
};

void run_normalize(const void* params, void* const* operands, Worker& worker) {
    const auto& normalize = *static_cast<const NormalizeParams*>(params);
    NormalizeArgs args = normalize.args;
    args.image = static_cast<const uint8_t*>(operands[0]);
    args.y = static_cast<float*>(operands[1]);
    parallel_rows(worker, normalize.out_height, [&](int64_t row) {
        normalize.kernel(args, row, static_cast<float*>(worker.scratch));
    });
}

// normalize_image(image u8 [h, w, 3]) -> y [1, 3, oh, ow], any strides;
// attributes scale, mean 3, std 3, resample, antialias.
Status bind_normalize_image(const OpDesc& desc, BoundOp* bound) {
    Status status = expect_operands(desc, 1);
    if (!status.ok) return status;
    const Tensor &image = desc.in(0), &y = desc.out(0);
    if (!is_pixels(image, 3) || !has_contiguous_rows(image))
        return invalid("normalize_image: the image must be uint8 [h, w, 3] with contiguous rows");
    if (y.rank != 4 || y.dtype != DType::f32 || y.shape[0] != 1 || y.shape[1] != 3)
        return invalid("normalize_image: the output must be float32 [1, 3, h, w]");
    const auto mean = desc.attributes.reals("mean", {0.0, 0.0, 0.0});
    const auto std = desc.attributes.reals("std", {1.0, 1.0, 1.0});
    const double scale = desc.attributes.real("scale", 1.0 / 255.0);
    const std::string resample = desc.attributes.text("resample", "bilinear");
    const bool antialias = desc.attributes.integer("antialias", 1) != 0;
    if (mean.size() != 3 || std.size() != 3)
        return invalid("normalize_image: mean and std have three values");

    auto params = std::make_shared<NormalizeParams>();
    if (!params->rows.build(resample, antialias, image.shape[0], y.shape[2]) ||
        !params->columns.build(resample, antialias, image.shape[1], y.shape[3]))
        return invalid(
            "normalize_image: resample '%s' is none of nearest, bilinear, bicubic, lanczos",
            resample.c_str());
    NormalizeArgs& args = params->args;
    args.image_stride = image.strides[0];
    args.width = image.shape[1];
    args.out_width = y.shape[3];
    args.channel_stride = y.strides[1];
    args.row_stride = y.strides[2];
    args.pixel_stride = y.strides[3];
    args.rows = params->rows.view();
    args.columns = params->columns.view();
    for (size_t c = 0; c < 3; ++c) {
        if (!(std[c] > 0.0)) return invalid("normalize_image: std must be positive");
        args.gain[c] = static_cast<float>(scale / std[c]);
        args.offset[c] = static_cast<float>(-mean[c] / std[c]);
    }
    params->kernel =
        select<NormalizeRow>(kKernels, "normalize_row_u8", desc.allowed, &bound->kernel);
    params->out_height = y.shape[2];
    bound->run = run_normalize;
    bound->worker_scratch_bytes =
        static_cast<size_t>(normalize_scratch(image.shape[1])) * sizeof(float);
    bound->bytes =
        static_cast<double>(element_count(image)) + 4.0 * static_cast<double>(element_count(y));
    bound->params = std::move(params);
    return {};
}

struct UpscaleMaskParams {
    UpscaleMaskRows* kernel;
    UpscaleMaskArgs args;
    std::vector<int32_t> row, column;
    std::vector<float> row_fraction, column_fraction;
};

void run_upscale_mask(const void* params, void* const* operands, Worker& worker) {
    const auto& upscale = *static_cast<const UpscaleMaskParams*>(params);
    UpscaleMaskArgs args = upscale.args;
    args.mask = static_cast<const float*>(operands[0]);
    args.y = static_cast<uint8_t*>(operands[1]);
    // Neighbouring rows share the widened rows of the mask.
    constexpr int64_t rows_per_chunk = 32;
    const auto rows = static_cast<int64_t>(upscale.row.size());
    parallel_for(worker, ceil_div(rows, rows_per_chunk), [&](int64_t chunk) {
        const int64_t first = chunk * rows_per_chunk, last = std::min(first + rows_per_chunk, rows);
        upscale.kernel(args, first, last, static_cast<float*>(worker.scratch));
    });
}

// Between which two sources each result lies: the lower one and the share of the other.
void interpolation_points(int64_t source, int64_t result, std::vector<int32_t>* index,
                          std::vector<float>* fraction) {
    const double scale = static_cast<double>(source) / static_cast<double>(result);
    for (int64_t i = 0; i < result; ++i) {
        const double position = std::clamp((static_cast<double>(i) + 0.5) * scale - 0.5, 0.0,
                                           static_cast<double>(source - 1));
        index->push_back(static_cast<int32_t>(position));
        fraction->push_back(static_cast<float>(position - std::floor(position)));
    }
}

// upscale_mask(mask f32 [h, w]) -> y u8 [H, W]; bilinear, pixel centres at half integers.
Status bind_upscale_mask(const OpDesc& desc, BoundOp* bound) {
    Status status = expect_operands(desc, 1);
    if (!status.ok) return status;
    const Tensor &mask = desc.in(0), &y = desc.out(0);
    if (mask.rank != 2 || mask.dtype != DType::f32 || y.rank != 2 || y.dtype != DType::u8)
        return invalid("upscale_mask takes float32 [h, w] and gives uint8 [H, W]");
    if ((mask.strides[1] != 1 && mask.shape[1] > 1) || (y.strides[1] != 1 && y.shape[1] > 1))
        return invalid("upscale_mask: rows must be contiguous");
    auto params = std::make_shared<UpscaleMaskParams>();
    interpolation_points(mask.shape[0], y.shape[0], &params->row, &params->row_fraction);
    interpolation_points(mask.shape[1], y.shape[1], &params->column, &params->column_fraction);
    params->args = {nullptr,
                    nullptr,
                    mask.strides[0],
                    y.strides[0],
                    mask.shape[0],
                    mask.shape[1],
                    y.shape[1],
                    params->row.data(),
                    params->row_fraction.data(),
                    params->column.data(),
                    params->column_fraction.data()};
    params->kernel =
        select<UpscaleMaskRows>(kKernels, "upscale_mask_rows_f32", desc.allowed, &bound->kernel);
    bound->run = run_upscale_mask;
    bound->worker_scratch_bytes =
        static_cast<size_t>(upscale_scratch(mask.shape[1], y.shape[1])) * sizeof(float);
    bound->bytes =
        4.0 * static_cast<double>(element_count(mask)) + static_cast<double>(element_count(y));
    bound->params = std::move(params);
    return {};
}

struct CompositeParams {
    CompositeRow* kernel;
    CompositeArgs args;
    int64_t height;
    int64_t image_stride, alpha_stride, background_stride, y_stride;
};

void run_composite(const void* params, void* const* operands, Worker& worker) {
    const auto& composite = *static_cast<const CompositeParams*>(params);
    parallel_rows(worker, composite.height, [&](int64_t row) {
        CompositeArgs args = composite.args;
        args.image = static_cast<const uint8_t*>(operands[0]) + row * composite.image_stride;
        args.alpha = static_cast<const uint8_t*>(operands[1]) + row * composite.alpha_stride;
        args.background =
            static_cast<const uint8_t*>(operands[2]) + row * composite.background_stride;
        args.y = static_cast<uint8_t*>(operands[3]) + row * composite.y_stride;
        composite.kernel(args, static_cast<uint8_t*>(worker.scratch));
    });
}

// composite(image u8 [h, w, 3], alpha u8 [h, w], background u8 [h, w, 3] any strides) -> y u8
// [h, w, 3].
Status bind_composite(const OpDesc& desc, BoundOp* bound) {
    Status status = expect_operands(desc, 3);
    if (!status.ok) return status;
    const Tensor &image = desc.in(0), &alpha = desc.in(1), &background = desc.in(2),
                 &y = desc.out(0);
    if (!is_pixels(image, 3) || !is_pixels(background, 3) || !is_pixels(y, 3) || alpha.rank != 2 ||
        alpha.dtype != DType::u8)
        return invalid(
            "composite takes image, alpha and background as uint8 [h, w, 3], [h, w], [h, w, 3]");
    if (!same_shape(image, background) || !same_shape(image, y) ||
        alpha.shape[0] != image.shape[0] || alpha.shape[1] != image.shape[1])
        return invalid("composite: image, alpha, background and y must have one height and width");
    if (!has_contiguous_rows(image) || !has_contiguous_rows(y) ||
        (alpha.strides[1] != 1 && alpha.shape[1] > 1))
        return invalid("composite: rows of image, alpha and y must be contiguous");
    auto params = std::make_shared<CompositeParams>();
    params->kernel =
        select<CompositeRow>(kKernels, "composite_row_u8", desc.allowed, &bound->kernel);
    params->args = {};
    params->args.width = image.shape[1];
    params->args.background_pixel = background.strides[1];
    params->args.background_channel = background.strides[2];
    params->height = image.shape[0];
    params->image_stride = image.strides[0];
    params->alpha_stride = alpha.strides[0];
    params->background_stride = background.strides[0];
    params->y_stride = y.strides[0];
    bound->run = run_composite;
    bound->worker_scratch_bytes = static_cast<size_t>(image.shape[1]) * 6;
    bound->bytes = 10.0 * static_cast<double>(element_count(alpha));
    bound->params = std::move(params);
    return {};
}

struct PngFilterParams {
    PngFilterRow* kernel;
    PngFilterArgs args;
    int64_t height, stride, y_stride;
    std::vector<uint8_t> zeros;
};

void run_png_filter(const void* params, void* const* operands, Worker& worker) {
    const auto& png = *static_cast<const PngFilterParams*>(params);
    parallel_rows(worker, png.height, [&](int64_t row) {
        PngFilterArgs args = png.args;
        args.row = static_cast<const uint8_t*>(operands[0]) + row * png.stride;
        args.above = row > 0 ? args.row - png.stride : png.zeros.data();
        args.y = static_cast<uint8_t*>(operands[1]) + row * png.y_stride;
        png.kernel(args);
    });
}

// png_filter(rows u8 [h, row_bytes]) -> y u8 [h, 1 + row_bytes]; attributes bytes_per_pixel,
// filter.
Status bind_png_filter(const OpDesc& desc, BoundOp* bound) {
    Status status = expect_operands(desc, 1);
    if (!status.ok) return status;
    const Tensor &rows = desc.in(0), &y = desc.out(0);
    if (rows.rank != 2 || rows.dtype != DType::u8 || y.rank != 2 || y.dtype != DType::u8 ||
        y.shape[0] != rows.shape[0] || y.shape[1] != rows.shape[1] + 1)
        return invalid("png_filter takes uint8 [h, n] and gives uint8 [h, 1 + n]");
    if ((rows.strides[1] != 1 && rows.shape[1] > 1) || y.strides[1] != 1)
        return invalid("png_filter: rows must be contiguous");
    const char* names[] = {"none", "sub", "up", "average", "paeth"};
    const std::string filter = desc.attributes.text("filter", "sub");
    const auto found = std::find(std::begin(names), std::end(names), filter);
    if (found == std::end(names))
        return invalid("png_filter: filter '%s' is none of none, sub, up, average, paeth",
                       filter.c_str());
    const int64_t bytes_per_pixel = desc.attributes.integer("bytes_per_pixel", 1);
    if (bytes_per_pixel < 1 || rows.shape[1] % bytes_per_pixel != 0)
        return invalid("png_filter: %lld bytes per row are no multiple of %lld bytes per pixel",
                       static_cast<long long>(rows.shape[1]),
                       static_cast<long long>(bytes_per_pixel));
    auto params = std::make_shared<PngFilterParams>();
    params->kernel =
        select<PngFilterRow>(kKernels, "png_filter_row_u8", desc.allowed, &bound->kernel);
    params->args = {};
    params->args.bytes = rows.shape[1];
    params->args.bytes_per_pixel = bytes_per_pixel;
    params->args.filter = static_cast<PngFilter>(found - std::begin(names));
    params->height = rows.shape[0];
    params->stride = rows.strides[0];
    params->y_stride = y.strides[0];
    params->zeros.assign(static_cast<size_t>(rows.shape[1]), 0);
    bound->run = run_png_filter;
    bound->bytes = 2.0 * static_cast<double>(element_count(rows));
    bound->params = std::move(params);
    return {};
}

const OpEntry kOps[] = {{"normalize_image", bind_normalize_image},
                        {"upscale_mask", bind_upscale_mask},
                        {"composite", bind_composite},
                        {"png_filter", bind_png_filter}};

}  // namespace

Family image_family() { return make_family("image", kOps, kKernels); }

}  // namespace hades
