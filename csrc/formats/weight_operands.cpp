#include "formats/weight_operands.h"

#include "base/float16.h"
#include "formats/q8_row.h"

namespace hades {

Status read_weight_format(const OpDesc& desc, const char* name, WeightFormat* format) {
    const std::string text = desc.attributes.text(name, "");
    for (int i = 0; i < kWeightFormats; ++i) {
        *format = static_cast<WeightFormat>(i);
        if (text == name_of(*format)) return {};
    }
    return invalid("%s: there is no weight format \"%s\"", desc.op.c_str(), text.c_str());
}

bool is_packed_weight(const Tensor& t, WeightFormat format, int64_t matrices, int64_t n,
                      int64_t k) {
    return is_vector(t, DType::u8) && t.shape[0] == matrices * packed_bytes(format, n, k);
}

Status check_activation_rows(const OpDesc& desc, const Tensor& a, int64_t k, ActivationRows* rows) {
    const char* op = desc.op.c_str();
    if (k < 1 || k % kBlock) return invalid("%s: k=%ld is no multiple of 32", op, long(k));
    *rows = {a.dtype == DType::u8, a.strides[0] * int64_t(size_of(a.dtype))};
    if (is_matrix(a, DType::u8) && a.shape[1] == q8_row_bytes(k)) return {};
    if (is_matrix(a, DType::u16) && a.shape[1] == k) return {};
    return invalid("%s: activations must be q8 rows uint8 [m, %ld] or bfloat16 [m, %ld]", op,
                   long(q8_row_bytes(k)), long(k));
}

void widen_bf16(const uint16_t* from, float* to, int64_t k) {
    for (int64_t i = 0; i < k; ++i) to[i] = to_float(BFloat16{from[i]});
}

}  // namespace hades
