#include "kernels/qconv/operands.h"

#include <cmath>

#include "base/epilogue_attributes.h"
#include "base/operand_shapes.h"
#include "kernels/tile/read_conv_shape.h"

// Operands of both: x, w, bias, factor, offset, residual, zero point of x -> y. The last may be
// left out, and says what the attribute x_zero says where it is known.
namespace hades {
namespace {

constexpr size_t kBias = 2, kFactor = 3, kOffset = 4, kResidual = 5, kZero = 6;

// 255 * 128 times as many do not reach 2^31.
constexpr int64_t kMostProducts = 65535;

Status read_zero(const OpDesc& desc, const char* name, int32_t* zero) {
    const int64_t value = desc.attributes.integer(name, 0);
    if (value < 0 || value > 255)
        return invalid("%s: %s=%lld must be from 0 to 255", desc.op.c_str(), name,
                       static_cast<long long>(value));
    *zero = static_cast<int32_t>(value);
    return {};
}

Status read_scale(const OpDesc& desc, const char* name, float* scale) {
    *scale = static_cast<float>(desc.attributes.real(name, 1.0));
    if (!(*scale > 0.0f) || !std::isfinite(*scale))
        return invalid("%s: %s must be positive and finite", desc.op.c_str(), name);
    return {};
}

Status check_channels(const OpDesc& desc, size_t input, const char* name, DType dtype, bool needed,
                      int64_t channels) {
    if (!desc.has(input) && !needed) return {};
    if (!desc.has(input) || !is_vector(desc.in(input), dtype) ||
        desc.in(input).shape[0] != channels)
        return invalid("%s: %s must be contiguous %s [%lld]", desc.op.c_str(), name, name_of(dtype),
                       static_cast<long long>(channels));
    return {};
}

// What the operators have in common, once the geometry is known.
Status read_quantities(const OpDesc& desc, QconvShape* shape) {
    const ConvShape& s = shape->conv;
    Requantize& r = shape->requantize;
    const int64_t channels = s.groups * s.oc;
    if (s.ic * s.kernel_h * s.kernel_w > kMostProducts)
        return invalid("%s: sums of more than %lld products may not fit in 32 bits",
                       desc.op.c_str(), static_cast<long long>(kMostProducts));
    Status status = check_channels(desc, kFactor, "factor", DType::f32, true, channels);
    if (status.ok) status = check_channels(desc, kBias, "bias", DType::i32, false, channels);
    if (status.ok) status = check_channels(desc, kOffset, "offset", DType::f32, false, channels);
    if (status.ok) status = read_zero(desc, "x_zero", &shape->x_zero);
    if (status.ok) status = read_zero(desc, "y_zero", &r.y_zero);
    if (status.ok) status = read_zero(desc, "residual_zero", &r.residual_zero);
    if (status.ok) status = read_scale(desc, "y_scale", &r.y_scale);
    if (status.ok) status = read_scale(desc, "residual_scale", &r.residual_scale);
    if (status.ok) status = read_zero(desc, "via_zero", &r.via_zero);
    if (status.ok) status = read_scale(desc, "via_scale", &r.via_scale);
    if (status.ok && desc.attributes.real("via_step", 0.0) != 0.0)
        status = read_scale(desc, "via_step", &r.via_step);
    if (status.ok) status = read_epilogue(desc, &r.epilogue);
    if (status.ok && desc.has(kZero) &&
        (desc.in(kZero).dtype != DType::u8 || element_count(desc.in(kZero)) != 1))
        return invalid("%s: the zero point of x must be one uint8", desc.op.c_str());
    r.y_is_bytes = desc.out(0).dtype == DType::u8;
    r.residual_is_bytes = desc.has(kResidual) && desc.in(kResidual).dtype == DType::u8;
    return status;
}

// How many inputs there are, with or without the zero point.
size_t count_of_inputs(const OpDesc& desc) {
    return desc.inputs.size() > kZero ? kZero + 1 : kZero;
}

bool is_result(const Tensor& t) { return is_matrix(t, DType::u8) || is_matrix(t, DType::f32); }

}  // namespace

Status read_qconv2d(const OpDesc& desc, QconvShape* shape) {
    const ConvOperands operands = {DType::u8, DType::i8, DType::i32, count_of_inputs(desc),
                                   kResidual, DType::u8};
    const Status status = read_conv_shape(desc, operands, &shape->conv);
    return status.ok ? read_quantities(desc, shape) : status;
}

Status read_qlinear(const OpDesc& desc, QconvShape* shape) {
    if (desc.inputs.size() != count_of_inputs(desc) || desc.outputs.size() != 1 || !desc.has(0) ||
        !desc.has(1))
        return invalid("qlinear takes a, b, bias, factor, offset, residual, zero and gives y");
    const Tensor &a = desc.in(0), &b = desc.in(1), &y = desc.out(0);
    if (!is_matrix(a, DType::u8) || b.rank != 2 || b.dtype != DType::i8 || !is_result(y))
        return invalid("qlinear: a must be uint8 [m, k], b int8 [k, n], y uint8 or float32 [m, n]");
    if (a.shape[1] != b.shape[0] || y.shape[0] != a.shape[0] || y.shape[1] != b.shape[1])
        return invalid("qlinear: a [m, k], b [k, n] and y [m, n] do not fit");
    if (element_count(b) == 0) return invalid("qlinear: b is empty");
    ConvShape& s = shape->conv;
    s = {};
    s.images = s.height = s.out_height = s.groups = 1;
    s.kernel_h = s.kernel_w = s.stride_h = s.stride_w = s.dilation_h = s.dilation_w = 1;
    s.width = s.out_width = a.shape[0];
    s.ic = a.shape[1], s.oc = b.shape[1];
    s.x_pixel = a.strides[0], s.y_pixel = y.strides[0];
    if (desc.has(kResidual)) {
        const Tensor& residual = desc.in(kResidual);
        if (!is_result(residual) || !same_shape(residual, y))
            return invalid("qlinear: residual must be uint8 or float32 [m, n]");
        s.residual_pixel = residual.strides[0];
    }
    return read_quantities(desc, shape);
}

}  // namespace hades
