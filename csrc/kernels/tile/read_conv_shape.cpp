#include "kernels/tile/read_conv_shape.h"

#include "base/epilogue_attributes.h"

namespace hades {
namespace {

constexpr int64_t kLargest = int64_t{1} << 31;

Status check_image(const OpDesc& desc, const char* name, const Tensor& t, DType dtype,
                   DType other) {
    if (t.rank != 4 || (t.dtype != dtype && t.dtype != other))
        return invalid("%s: %s must be %s%s%s [n, c, h, w]", desc.op.c_str(), name, name_of(dtype),
                       other == dtype ? "" : " or ", other == dtype ? "" : name_of(other));
    if (element_count(t) > 0 && t.shape[1] > 1 && t.strides[1] != 1)
        return invalid("%s: %s must be channels-last, its channel stride is %lld", desc.op.c_str(),
                       name, static_cast<long long>(t.strides[1]));
    return {};
}

// Extent of the output along one axis.
int64_t output_extent(int64_t in, int64_t pads, int64_t kernel, int64_t dilation, int64_t stride) {
    const int64_t room = in + pads - ((kernel - 1) * dilation + 1);
    return room < 0 ? 0 : room / stride + 1;
}

Status check_weights(const OpDesc& desc, DType bias, const ConvShape& s, int64_t channels,
                     int64_t out) {
    const char* op = desc.op.c_str();
    const Tensor& w = desc.in(1);
    if (s.groups < 1 || channels % s.groups != 0 || out % s.groups != 0)
        return invalid("%s: groups=%lld must divide %lld input and %lld output channels", op,
                       static_cast<long long>(s.groups), static_cast<long long>(channels),
                       static_cast<long long>(out));
    if (w.shape[1] * s.groups != channels)
        return invalid(
            "%s: w has %lld input channels per group, x has %lld channels and "
            "groups=%lld",
            op, static_cast<long long>(w.shape[1]), static_cast<long long>(channels),
            static_cast<long long>(s.groups));
    if (desc.has(2) && (desc.in(2).rank != 1 || desc.in(2).shape[0] != out ||
                        desc.in(2).dtype != bias || !is_contiguous(desc.in(2))))
        return invalid("%s: bias must be contiguous %s [%lld]", op, name_of(bias),
                       static_cast<long long>(out));
    return {};
}

Status read_window(const OpDesc& desc, ConvShape* s) {
    const char* op = desc.op.c_str();
    const std::vector<int64_t> strides = desc.attributes.integers("strides", {1, 1});
    const std::vector<int64_t> pads = desc.attributes.integers("pads", {0, 0, 0, 0});
    const std::vector<int64_t> dilations = desc.attributes.integers("dilations", {1, 1});
    if (strides.size() != 2 || pads.size() != 4 || dilations.size() != 2)
        return invalid("%s takes 2 strides, 4 pads (top, left, bottom, right), 2 dilations", op);
    for (const int64_t value : {strides[0], strides[1], dilations[0], dilations[1]})
        if (value < 1 || value >= kLargest)
            return invalid("%s: strides and dilations must be at least 1", op);
    for (const int64_t pad : pads)
        if (pad < 0 || pad >= kLargest) return invalid("%s: pads must not be negative", op);
    s->stride_h = strides[0], s->stride_w = strides[1];
    s->dilation_h = dilations[0], s->dilation_w = dilations[1];
    s->pad_top = pads[0], s->pad_left = pads[1];
    const Tensor &x = desc.in(0), &y = desc.out(0);
    s->height = x.shape[2], s->width = x.shape[3];
    s->out_height =
        output_extent(x.shape[2], pads[0] + pads[2], s->kernel_h, s->dilation_h, s->stride_h);
    s->out_width =
        output_extent(x.shape[3], pads[1] + pads[3], s->kernel_w, s->dilation_w, s->stride_w);
    if (y.shape[2] != s->out_height || y.shape[3] != s->out_width)
        return invalid("%s: y is %lld x %lld, the window gives %lld x %lld", op,
                       static_cast<long long>(y.shape[2]), static_cast<long long>(y.shape[3]),
                       static_cast<long long>(s->out_height), static_cast<long long>(s->out_width));
    return {};
}

}  // namespace

Status read_conv_shape(const OpDesc& desc, const ConvOperands& operands, ConvShape* s) {
    const char* op = desc.op.c_str();
    const size_t added = operands.residual;
    if (desc.inputs.size() != operands.inputs || desc.outputs.size() != 1 || !desc.has(0) ||
        !desc.has(1))
        return invalid("%s takes %d inputs, of which x and w are needed, and gives y", op,
                       static_cast<int>(operands.inputs));
    const Tensor &x = desc.in(0), &w = desc.in(1), &y = desc.out(0);
    Status status = check_image(desc, "x", x, operands.x, operands.x);
    if (status.ok) status = check_image(desc, "y", y, DType::f32, operands.narrow);
    if (status.ok && desc.has(added))
        status = check_image(desc, "residual", desc.in(added), DType::f32, operands.narrow);
    if (!status.ok) return status;
    if (desc.has(added) && !same_shape(desc.in(added), y))
        return invalid("%s: residual must have the shape of y", op);
    if (w.rank != 4 || w.dtype != operands.w || !is_contiguous(w))
        return invalid("%s: w must be contiguous %s [o, c / groups, kh, kw]", op,
                       name_of(operands.w));
    if (element_count(w) == 0) return invalid("%s: w is empty", op);
    if (x.shape[0] != y.shape[0] || y.shape[1] != w.shape[0])
        return invalid("%s: y must have the images of x and the output channels of w", op);
    s->groups = desc.attributes.integer("groups", 1);
    status = check_weights(desc, operands.bias, *s, x.shape[1], w.shape[0]);
    if (!status.ok) return status;

    s->images = x.shape[0];
    s->ic = w.shape[1], s->oc = w.shape[0] / s->groups;
    s->kernel_h = w.shape[2], s->kernel_w = w.shape[3];
    s->x_image = x.strides[0], s->x_row = x.strides[2], s->x_pixel = x.strides[3];
    s->y_image = y.strides[0], s->y_row = y.strides[2], s->y_pixel = y.strides[3];
    if (desc.has(added)) {
        const Tensor& r = desc.in(added);
        s->residual_image = r.strides[0], s->residual_row = r.strides[2];
        s->residual_pixel = r.strides[3];
    }
    status = read_window(desc, s);
    return status.ok ? read_epilogue(desc, &s->epilogue) : status;
}

void join_rows(ConvShape* s, bool has_residual) {
    const bool pointwise = s->kernel_h == 1 && s->kernel_w == 1 && s->stride_h == 1 &&
                           s->stride_w == 1 && s->out_height == s->height &&
                           s->out_width == s->width;
    const auto joined = [&](int64_t row, int64_t pixel) {
        return s->height == 1 || row == s->width * pixel;
    };
    if (!pointwise || !joined(s->x_row, s->x_pixel) || !joined(s->y_row, s->y_pixel) ||
        (has_residual && !joined(s->residual_row, s->residual_pixel)))
        return;
    s->width *= s->height, s->out_width *= s->out_height;
    s->height = s->out_height = 1;
}

}  // namespace hades
