#include "kernels/resize/resize.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/element.h"
#include "base/rounding.h"
#include "kernels/families.h"
#include "kernels/resize/table.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/resize/resize.inc"
#undef HADES_KERNEL
};

constexpr size_t kVectorBytes = 64;

// ---- images: at most two resized axes, contiguous pixels or contiguous rows ----

struct OuterAxis {
    int64_t extent, x, y;
};

struct ImageParams {
    ResizeRow* kernel;
    ResizeRowArgs row;
    std::vector<int32_t> vertical_indices, horizontal_indices;
    std::vector<float> vertical_weights, horizontal_weights;
    OuterAxis outer[kMaxRank];
    int outer_count = 0;
    int64_t images = 1, out_h, y_row, rows_per_chunk;
    int64_t element;  // bytes
};

struct Axis {
    int64_t in, out, x, y;
    const AxisTable* table;
};

const AxisTable& single_position() {
    static const AxisTable table = {1, {0}, {1.0}, {0}, true, false};
    return table;
}

// Roles of the axes in the image kernel; not `found` where the strides do not allow it.
struct ImageAxes {
    bool found = false;
    bool contiguous = false;  // pixels or rows
    Axis vertical, horizontal;
    int64_t channels = 1;
    std::vector<Axis> outer;
};

// Takes the axis that is contiguous on both sides after `extent` elements.
bool take_contiguous(std::vector<Axis>* axes, int64_t extent, bool resized, Axis* taken) {
    for (size_t i = 0; i < axes->size(); ++i) {
        const Axis& axis = (*axes)[i];
        if (axis.x != extent || axis.y != extent || axis.table->identity == resized) continue;
        *taken = axis;
        axes->erase(axes->begin() + static_cast<std::ptrdiff_t>(i));
        return true;
    }
    return false;
}

ImageAxes image_axes(std::vector<Axis> axes) {
    ImageAxes image;
    const Axis none = {1, 1, 0, 0, &single_position()};
    image.vertical = image.horizontal = none;
    Axis taken;
    const bool planar = take_contiguous(&axes, 1, true, &image.horizontal);
    if (!planar)
        while (take_contiguous(&axes, image.channels, false, &taken)) image.channels *= taken.in;
    std::vector<Axis> resized;
    for (const Axis& axis : axes) (axis.table->identity ? image.outer : resized).push_back(axis);
    std::sort(resized.begin(), resized.end(),
              [](const Axis& a, const Axis& b) { return std::llabs(a.x) < std::llabs(b.x); });
    if (!planar && !resized.empty()) {
        image.horizontal = resized.front();
        resized.erase(resized.begin());
    }
    if (!resized.empty()) image.vertical = resized.front();
    image.found = resized.size() <= 1;
    image.contiguous = planar || image.channels > 1;
    return image;
}

// [out, taps] -> [taps, out]
template <class To, class From>
std::vector<To> transposed(const std::vector<From>& values, int64_t taps) {
    std::vector<To> result(values.size());
    const size_t columns = static_cast<size_t>(taps), rows = values.size() / columns;
    for (size_t r = 0; r < rows; ++r)
        for (size_t c = 0; c < columns; ++c)
            result[c * rows + r] = static_cast<To>(values[r * columns + c]);
    return result;
}

void set_tables(const AxisTable& vertical, const AxisTable& horizontal, ImageParams* params) {
    ResizeRowArgs& row = params->row;
    params->vertical_indices = vertical.indices;
    params->vertical_weights.assign(vertical.weights.begin(), vertical.weights.end());
    params->horizontal_indices = horizontal.indices;
    params->horizontal_weights.assign(horizontal.weights.begin(), horizontal.weights.end());
    if (row.channels == 1) {
        params->horizontal_indices = transposed<int32_t>(horizontal.indices, horizontal.taps);
        params->horizontal_weights = transposed<float>(horizontal.weights, horizontal.taps);
    }
    row.vertical_taps = vertical.taps;
    row.horizontal_taps = horizontal.taps;
    row.vertical_identity = vertical.identity;
    row.horizontal_identity = horizontal.identity;
    row.horizontal_indices = params->horizontal_indices.data();
    row.horizontal_weights = params->horizontal_weights.data();
}

void run_image_row(const ImageParams& image, int64_t index, const char* x, char* y, void* scratch) {
    ResizeRowArgs row = image.row;
    const int64_t oy = index % image.out_h;
    index /= image.out_h;
    for (int i = image.outer_count - 1; i >= 0; --i) {
        x += index % image.outer[i].extent * image.outer[i].x * image.element;
        y += index % image.outer[i].extent * image.outer[i].y * image.element;
        index /= image.outer[i].extent;
    }
    row.x = x;
    row.y = y + oy * image.y_row * image.element;
    row.row = static_cast<float*>(scratch);
    row.vertical_indices = image.vertical_indices.data() + oy * row.vertical_taps;
    row.vertical_weights = image.vertical_weights.data() + oy * row.vertical_taps;
    image.kernel(row);
}

void run_image(const void* params, void* const* operands, Worker& worker) {
    const auto& image = *static_cast<const ImageParams*>(params);
    const int64_t rows = image.images * image.out_h;
    const int64_t chunks = ceil_div(rows, image.rows_per_chunk);
    parallel_for(worker, chunks, [&](int64_t chunk) {
        const int64_t first = chunk * image.rows_per_chunk;
        const int64_t last = std::min(first + image.rows_per_chunk, rows);
        for (int64_t row = first; row < last; ++row)
            run_image_row(image, row, static_cast<const char*>(operands[0]),
                          static_cast<char*>(operands[1]), worker.scratch);
    });
}

void bind_image(const ImageAxes& axes, const ResizeBytes* bytes, IsaMask allowed, BoundOp* bound) {
    auto params = std::make_shared<ImageParams>();
    ResizeRowArgs& row = params->row;
    row = {};
    params->element = bytes ? 1 : sizeof(float);
    if (bytes) row.bytes = *bytes;
    row.channels = axes.channels;
    row.in_w = axes.horizontal.in;
    row.out_w = axes.horizontal.out;
    row.x_row = axes.vertical.x;
    row.x_pixel = axes.horizontal.in > 1 ? axes.horizontal.x : axes.channels;
    row.y_pixel = axes.horizontal.out > 1 ? axes.horizontal.y : axes.channels;
    set_tables(*axes.vertical.table, *axes.horizontal.table, params.get());
    params->out_h = axes.vertical.out;
    params->y_row = axes.vertical.y;
    for (const Axis& axis : axes.outer) {
        params->outer[params->outer_count++] = {axis.in, axis.x, axis.y};
        params->images *= axis.in;
    }
    const int64_t width = row.channels * (row.in_w + row.out_w);
    params->rows_per_chunk = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, width));
    const char* function = bytes ? "resize_row_u8" : "resize_row_f32";
    params->kernel = select<ResizeRow>(kKernels, function, allowed, &bound->kernel);
    bound->run = run_image;
    bound->params = params;
    bound->worker_scratch_bytes =
        static_cast<size_t>(row.channels * row.in_w) * sizeof(float) + kVectorBytes;
}

// ---- anything else ----

struct AnyParams {
    ResizeAny* kernel;
    std::vector<AxisTable> tables;
    std::vector<ResizeAxis> axes;
    int64_t elements;
    uint64_t extrapolation;
};

constexpr int64_t kElementsPerChunk = 4096;

void run_any(const void* params, void* const* operands, Worker& worker) {
    const auto& any = *static_cast<const AnyParams*>(params);
    const int64_t chunks = ceil_div(any.elements, kElementsPerChunk);
    parallel_for(worker, chunks, [&](int64_t chunk) {
        const int64_t first = chunk * kElementsPerChunk;
        any.kernel({operands[0], operands[1], any.axes.data(),
                    static_cast<int64_t>(any.axes.size()), first,
                    std::min(first + kElementsPerChunk, any.elements), &any.extrapolation});
    });
}

std::string any_function(Interpolation mode, DType dtype) {
    const char* const nearest[4] = {"resize_nearest_b1", "resize_nearest_b2", "resize_nearest_b4",
                                    "resize_nearest_b8"};
    if (mode == Interpolation::nearest) return sized_name(nearest, dtype);
    switch (dtype) {
        case DType::f32:
            return "resize_any_f32";
        case DType::f64:
            return "resize_any_f64";
        case DType::u8:
            return "resize_any_u8";
        case DType::i8:
            return "resize_any_i8";
        case DType::i32:
            return "resize_any_i32";
        default:
            return "";
    }
}

Status bind_any(const OpDesc& desc, Interpolation mode, std::vector<AxisTable> tables,
                BoundOp* bound) {
    const Tensor &x = desc.in(0), &y = desc.out(0);
    auto params = std::make_shared<AnyParams>();
    const std::string function = any_function(mode, x.dtype);
    params->kernel = select<ResizeAny>(kKernels, function.c_str(), desc.allowed, &bound->kernel);
    if (!params->kernel)
        return invalid("resize: dtype %s can only be resized by mode nearest", name_of(x.dtype));
    params->tables = std::move(tables);
    for (int i = 0; i < x.rank; ++i) {
        const AxisTable& table = params->tables[static_cast<size_t>(i)];
        params->axes.push_back({y.shape[i], table.taps, x.strides[i], y.strides[i],
                                table.indices.data(), table.weights.data(), table.outside.data()});
    }
    // The innermost axis of the output last: kernels walk its runs.
    std::stable_sort(params->axes.begin(), params->axes.end(),
                     [](const ResizeAxis& a, const ResizeAxis& b) {
                         return std::llabs(a.y_stride) > std::llabs(b.y_stride);
                     });
    params->elements = element_count(y);
    params->extrapolation = encode_element(x.dtype, desc.attributes, "extrapolation_value");
    bound->run = run_any;
    bound->params = params;
    return {};
}

// ---- binding ----

Status read_sampling(const Attributes& attributes, Sampling* sampling) {
    const std::string mode = attributes.text("mode", "nearest");
    if (mode == "linear")
        sampling->mode = Interpolation::linear;
    else if (mode == "cubic")
        sampling->mode = Interpolation::cubic;
    else if (mode != "nearest")
        return invalid("mode \"%s\" is none of nearest, linear, cubic", mode.c_str());
    sampling->coordinates = attributes.text("coordinates", "half_pixel");
    sampling->nearest_mode = attributes.text("nearest_mode", "round_prefer_floor");
    sampling->cubic_coeff_a = attributes.real("cubic_coeff_a", -0.75);
    sampling->antialias = attributes.integer("antialias", 0) != 0;
    sampling->exclude_outside = attributes.integer("exclude_outside", 0) != 0;
    return check_sampling(*sampling);
}

Status read_geometry(const OpDesc& desc, std::vector<AxisGeometry>* axes) {
    const Tensor &x = desc.in(0), &y = desc.out(0);
    const auto rank = static_cast<size_t>(x.rank);
    std::vector<double> scales = desc.attributes.reals("scales"),
                        roi = desc.attributes.reals("roi");
    if (roi.empty() && desc.attributes.text("coordinates", "") != "tf_crop_and_resize")
        roi.assign(2 * rank, 0.0);
    if ((!scales.empty() && scales.size() != rank) || roi.size() != 2 * rank)
        return invalid("resize: scales needs one entry per axis and roi two");
    for (size_t i = 0; i < rank; ++i) {
        const int64_t in = x.shape[i], out = y.shape[i];
        if (in < 1 && out > 0) return invalid("resize: axis %d of x is empty", static_cast<int>(i));
        const double ratio = in ? static_cast<double>(out) / static_cast<double>(in) : 1.0;
        const double scale = scales.empty() ? ratio : scales[i];
        if (!(scale > 0) && out > 0)
            return invalid("resize: scale %g of axis %d is not positive", scale,
                           static_cast<int>(i));
        axes->push_back({in, out, scale, roi[i], roi[i + rank]});
    }
    return {};
}

// Attributes rounding, x_scale, x_zero, y_scale, y_zero, then_factor, then_zero.
Status read_bytes(const OpDesc& desc, ResizeBytes* bytes) {
    const std::string rounding = desc.attributes.text("rounding", "truncate");
    const int64_t zeros[] = {desc.attributes.integer("x_zero", 0),
                             desc.attributes.integer("y_zero", 0),
                             desc.attributes.integer("then_zero", 0)};
    const float x_scale = static_cast<float>(desc.attributes.real("x_scale", 1.0));
    const float y_scale = static_cast<float>(desc.attributes.real("y_scale", 1.0));
    if (rounding != "truncate" && rounding != "nearest")
        return invalid("resize: rounding \"%s\" is none of truncate, nearest", rounding.c_str());
    for (int64_t zero : zeros)
        if (zero < 0 || zero > 255) return invalid("resize: zero points must be from 0 to 255");
    if (!(x_scale > 0.0f) || !(y_scale > 0.0f)) return invalid("resize: scales must be positive");
    *bytes = {static_cast<float>(zeros[0]),
              y_scale / x_scale,
              static_cast<float>(zeros[1]),
              static_cast<float>(desc.attributes.real("then_factor", 0.0)),
              static_cast<float>(zeros[2]),
              rounding == "truncate",
              false,
              false};
    if (bytes->truncates &&
        (zeros[0] || zeros[1] || zeros[2] || bytes->then_factor != 0.0f || x_scale != y_scale))
        return invalid("resize: only rounding \"nearest\" goes from one grid to another");
    return {};
}

// Whether weights are whole numbers of such parts of 1.
bool are_parts(const AxisTable& table, double parts) {
    return std::all_of(table.weights.begin(), table.weights.end(), [&](double weight) {
        const double scaled = weight * parts;
        return scaled >= 0 && scaled == std::floor(scaled);
    });
}

// Whether sums of products of two of them and a byte are exact floats.
bool is_exact(const AxisTable& table) { return are_parts(table, 256); }

// Whether such sums fit 16 bits, and there are no more taps than kernels expect.
bool is_short(const AxisTable& table) { return table.taps <= 2 && are_parts(table, 16); }

// resize(x) -> y; attributes mode, coordinates, scales, roi, nearest_mode, cubic_coeff_a,
// exclude_outside, extrapolation_value, antialias; of bytes rounding and grids.
Status bind_resize(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 1 || desc.outputs.size() != 1 || !desc.has(0))
        return invalid("resize takes x and gives y");
    const Tensor &x = desc.in(0), &y = desc.out(0);
    if (x.rank != y.rank || x.dtype != y.dtype)
        return invalid("resize: x and y must have one rank and dtype");
    Sampling sampling;
    std::vector<AxisGeometry> geometry;
    if (Status status = read_sampling(desc.attributes, &sampling); !status.ok) return status;
    if (Status status = read_geometry(desc, &geometry); !status.ok) return status;
    bound->bytes = static_cast<double>(element_count(x) + element_count(y)) *
                   static_cast<double>(size_of(x.dtype));
    if (element_count(y) == 0) {
        bound->run = run_nothing;
        return {};
    }
    std::vector<AxisTable> tables;
    std::vector<Axis> axes;
    bool extrapolates = false;
    for (const AxisGeometry& axis : geometry) {
        tables.push_back(make_table(axis, sampling));
        extrapolates |= tables.back().extrapolates;
        bound->flops += 2.0 * static_cast<double>(tables.back().taps) *
                        static_cast<double>(element_count(y)) * !tables.back().identity;
    }
    for (int i = 0; i < x.rank; ++i)
        if (x.shape[i] != 1 || y.shape[i] != 1)
            axes.push_back({x.shape[i], y.shape[i], x.strides[i], y.strides[i],
                            &tables[static_cast<size_t>(i)]});
    const ImageAxes image = extrapolates ? ImageAxes() : image_axes(axes);
    const bool movable = sampling.mode == Interpolation::nearest && size_of(x.dtype) == 4;
    if ((x.dtype == DType::f32 || movable) && image.found && image.contiguous) {
        bind_image(image, nullptr, desc.allowed, bound);
        return {};
    }
    ResizeBytes bytes;
    if (Status status = read_bytes(desc, &bytes); !status.ok) return status;
    bytes.moves = size_of(x.dtype) == 1 && sampling.mode == Interpolation::nearest;
    bytes.is_short = std::all_of(tables.begin(), tables.end(), is_short) && bytes.y_scale == 1.0f &&
                     bytes.x_zero == bytes.y_zero;
    const bool exact = std::all_of(tables.begin(), tables.end(), is_exact);
    if ((x.dtype == DType::u8 || bytes.moves) && image.found && (!bytes.truncates || exact)) {
        bind_image(image, &bytes, desc.allowed, bound);
        return {};
    }
    if (!bytes.truncates)
        return invalid(
            "resize: rounding \"nearest\" is of images of uint8, at most two axes of them");
    return bind_any(desc, sampling.mode, std::move(tables), bound);
}

const OpEntry kOps[] = {{"resize", bind_resize}};

}  // namespace

Family resize_family() { return make_family("resize", kOps, kKernels); }

}  // namespace hades
