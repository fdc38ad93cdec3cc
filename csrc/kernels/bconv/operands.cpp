#include "kernels/bconv/operands.h"

#include "base/epilogue_attributes.h"
#include "base/operand_shapes.h"
#include "kernels/tile/read_conv_shape.h"

// Operands of both: x, w, bias, residual -> y. A bfloat16 is the uint16 of its bits.
namespace hades {
namespace {

constexpr size_t kInputs = 4, kBias = 2, kResidual = 3;

}  // namespace

Status read_conv2d_bf16(const OpDesc& desc, BconvShape* shape) {
    const ConvOperands operands = {DType::u16, DType::u16, DType::f32,
                                   kInputs,    kResidual,  DType::u16};
    const Status status = read_conv_shape(desc, operands, &shape->conv);
    if (!status.ok) return status;
    if (desc.has(kResidual) && desc.in(kResidual).dtype != DType::f32)
        return invalid("conv2d_bf16: residual must be float32");
    shape->y_is_narrow = desc.out(0).dtype == DType::u16;
    return {};
}

Status read_linear_bf16(const OpDesc& desc, BconvShape* shape) {
    if (desc.inputs.size() != kInputs || desc.outputs.size() != 1 || !desc.has(0) || !desc.has(1))
        return invalid("linear_bf16 takes a, b, bias, residual and gives y");
    const Tensor &a = desc.in(0), &b = desc.in(1), &y = desc.out(0);
    shape->y_is_narrow = y.dtype == DType::u16;
    if (!is_matrix(a, DType::u16) || b.rank != 2 || b.dtype != DType::u16 ||
        !is_matrix(y, shape->y_is_narrow ? DType::u16 : DType::f32))
        return invalid(
            "linear_bf16: a must be uint16 [m, k], b uint16 [k, n], y uint16 or float32 [m, n]");
    if (a.shape[1] != b.shape[0] || y.shape[0] != a.shape[0] || y.shape[1] != b.shape[1])
        return invalid("linear_bf16: a [m, k], b [k, n] and y [m, n] do not fit");
    if (element_count(b) == 0) return invalid("linear_bf16: b is empty");
    if (desc.has(kBias) &&
        (!is_vector(desc.in(kBias), DType::f32) || desc.in(kBias).shape[0] != b.shape[1]))
        return invalid("linear_bf16: bias must be contiguous float32 [%lld]",
                       static_cast<long long>(b.shape[1]));
    ConvShape& s = shape->conv;
    s = {};
    s.images = s.height = s.out_height = s.groups = 1;
    s.kernel_h = s.kernel_w = s.stride_h = s.stride_w = s.dilation_h = s.dilation_w = 1;
    s.width = s.out_width = a.shape[0];
    s.ic = a.shape[1], s.oc = b.shape[1];
    s.x_pixel = a.strides[0], s.y_pixel = y.strides[0];
    if (desc.has(kResidual)) {
        const Tensor& residual = desc.in(kResidual);
        if (!is_matrix(residual, DType::f32) || !same_shape(residual, y))
            return invalid("linear_bf16: residual must be float32 [m, n]");
        s.residual_pixel = residual.strides[0];
    }
    return read_epilogue(desc, &s.epilogue);
}

}  // namespace hades
