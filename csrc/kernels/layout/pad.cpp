#include <algorithm>
#include <cstdlib>
#include <vector>

#include "base/element.h"
#include "base/rounding.h"
#include "kernels/layout/layout_ops.h"

namespace hades {
namespace {

enum class PadMode { constant, reflect, edge, wrap };

constexpr int64_t kConstant = -1;               // as an index
constexpr int64_t kConstantOffset = INT64_MIN;  // as an offset, which may be negative

// Where position p of an axis of extent n comes from when the axis is continued by that rule.
int64_t source_index(PadMode mode, int64_t p, int64_t n) {
    if (p >= 0 && p < n) return p;
    switch (mode) {
        case PadMode::edge:
            return p < 0 ? 0 : n - 1;
        case PadMode::wrap:
            return ((p % n) + n) % n;
        case PadMode::reflect: {
            const int64_t period = n > 1 ? 2 * (n - 1) : 1;
            const int64_t q = ((p % period) + period) % period;
            return q < n ? q : period - q;
        }
        default:
            return kConstant;
    }
}

struct PadAxis {
    int64_t x_extent, y_extent, x_stride, y_stride, begin;

    bool is_padded() const { return begin != 0 || x_extent != y_extent; }
};

struct OuterAxis {
    std::vector<int64_t> x_offset;  // per output index, kConstantOffset for constant rows
    int64_t y_stride;
};

struct PadParams {
    PadRow* kernel;
    PadRowArgs row;
    std::vector<PadSegment> segments;
    std::vector<OuterAxis> outer;
    int64_t size;  // bytes of an element
    int64_t rows, rows_per_chunk;
    uint64_t value;
};

std::vector<PadSegment> segments_of(PadMode mode, const PadAxis& axis) {
    std::vector<PadSegment> segments;
    for (int64_t i = 0; i < axis.y_extent; ++i) {
        const int64_t x = source_index(mode, i - axis.begin, axis.x_extent);
        if (!segments.empty()) {
            PadSegment& last = segments.back();
            if (last.count == 1 && x >= 0 && last.x >= 0 && std::llabs(x - last.x) <= 1)
                last.step = x - last.x;
            const bool constant = x < 0 && last.x < 0;
            if (constant || (x >= 0 && last.x >= 0 && x == last.x + last.count * last.step)) {
                ++last.count;
                continue;
            }
        }
        segments.push_back({i, x, 1, 1});
    }
    return segments;
}

// Trailing axes that are not padded and contiguous on both sides become the inner extent.
int64_t fold_inner(std::vector<PadAxis>* axes) {
    int64_t inner = 1;
    while (axes->size() > 1) {
        const PadAxis& last = axes->back();
        if (last.is_padded() || last.x_stride != inner || last.y_stride != inner) break;
        inner *= last.x_extent;
        axes->pop_back();
    }
    return inner;
}

void plan_pad(std::vector<PadAxis> axes, PadMode mode, PadParams* pad) {
    std::stable_sort(axes.begin(), axes.end(), [](const PadAxis& a, const PadAxis& b) {
        return std::llabs(a.y_stride) > std::llabs(b.y_stride);
    });
    pad->row.inner = fold_inner(&axes);
    const PadAxis columns = axes.back();
    axes.pop_back();
    pad->segments = segments_of(mode, columns);
    pad->row.segments = pad->segments.data();
    pad->row.segment_count = static_cast<int64_t>(pad->segments.size());
    pad->row.columns = columns.y_extent;
    pad->row.x_column = columns.x_stride;
    pad->row.y_column = columns.y_stride;
    pad->rows = 1;
    for (const PadAxis& axis : axes) {
        OuterAxis outer{{}, axis.y_stride};
        for (int64_t i = 0; i < axis.y_extent; ++i) {
            const int64_t x = source_index(mode, i - axis.begin, axis.x_extent);
            outer.x_offset.push_back(x < 0 ? kConstantOffset : x * axis.x_stride);
        }
        pad->outer.push_back(std::move(outer));
        pad->rows *= axis.y_extent;
    }
    const int64_t row_bytes = pad->row.columns * pad->row.inner * pad->size;
    pad->rows_per_chunk = std::max<int64_t>(1, 64 * 1024 / std::max<int64_t>(1, row_bytes));
}

void run_row(const PadParams& pad, int64_t index, const char* x, char* y) {
    PadRowArgs row = pad.row;
    bool constant = false;
    for (size_t i = pad.outer.size(); i-- > 0;) {
        const OuterAxis& axis = pad.outer[i];
        const auto extent = static_cast<int64_t>(axis.x_offset.size());
        const int64_t offset = axis.x_offset[static_cast<size_t>(index % extent)];
        if (offset == kConstantOffset)
            constant = true;
        else
            x += offset * pad.size;
        y += index % extent * axis.y_stride * pad.size;
        index /= extent;
    }
    row.x = constant ? nullptr : x;
    row.y = y;
    row.value = &pad.value;
    pad.kernel(row);
}

void run_pad(const void* params, void* const* operands, Worker& worker) {
    const auto& pad = *static_cast<const PadParams*>(params);
    const int64_t chunks = ceil_div(pad.rows, pad.rows_per_chunk);
    parallel_for(worker, chunks, [&](int64_t chunk) {
        const int64_t first = chunk * pad.rows_per_chunk;
        const int64_t last = std::min(first + pad.rows_per_chunk, pad.rows);
        for (int64_t row = first; row < last; ++row)
            run_row(pad, row, static_cast<const char*>(operands[0]),
                    static_cast<char*>(operands[1]));
    });
}

Status parse_mode(const std::string& text, PadMode* mode) {
    const char* const names[] = {"constant", "reflect", "edge", "wrap"};
    for (int i = 0; i < 4; ++i) {
        if (text != names[i]) continue;
        *mode = static_cast<PadMode>(i);
        return {};
    }
    return invalid("pad: mode \"%s\" is none of constant, reflect, edge, wrap", text.c_str());
}

}  // namespace

// pad(x) -> y; attributes pads (all begins, then all ends), mode, value.
Status bind_pad(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 1 || desc.outputs.size() != 1 || !desc.has(0))
        return invalid("pad takes x and gives y");
    const Tensor &x = desc.in(0), &y = desc.out(0);
    const std::vector<int64_t> pads = desc.attributes.integers("pads");
    if (x.dtype != y.dtype || x.rank != y.rank || pads.size() != 2 * static_cast<size_t>(x.rank))
        return invalid("pad: y must have the dtype and rank of x, and pads two entries per axis");
    if (Status status = check_writable("pad", y); !status.ok) return status;
    PadMode mode = PadMode::constant;
    if (Status status = parse_mode(desc.attributes.text("mode", "constant"), &mode); !status.ok)
        return status;

    std::vector<PadAxis> axes;
    for (int i = 0; i < x.rank; ++i) {
        const int64_t begin = pads[static_cast<size_t>(i)];
        const int64_t end = pads[static_cast<size_t>(i + x.rank)];
        if (y.shape[i] != x.shape[i] + begin + end)
            return invalid("pad: axis %d has %lld elements, %lld + %lld + %lld expected", i,
                           static_cast<long long>(y.shape[i]), static_cast<long long>(begin),
                           static_cast<long long>(x.shape[i]), static_cast<long long>(end));
        if (x.shape[i] == 0 && y.shape[i] > 0 && mode != PadMode::constant)
            return invalid("pad: axis %d is empty, which only mode constant can extend", i);
        if (x.shape[i] != 1 || y.shape[i] != 1)
            axes.push_back({x.shape[i], y.shape[i], x.strides[i], y.strides[i], begin});
    }
    if (axes.empty()) axes.push_back({1, 1, 1, 1, 0});
    auto params = std::make_shared<PadParams>();
    params->size = static_cast<int64_t>(size_of(x.dtype));
    params->value = encode_element(x.dtype, desc.attributes, "value");
    params->kernel = select_pad_row(x.dtype, desc.allowed, &bound->kernel);
    plan_pad(std::move(axes), mode, params.get());
    if (element_count(y) == 0) params->rows = 0;
    bound->run = run_pad;
    bound->params = params;
    bound->bytes = static_cast<double>(element_count(x) + element_count(y)) *
                   static_cast<double>(params->size);
    return {};
}

}  // namespace hades
