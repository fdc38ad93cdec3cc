#include "base/element.h"

#include <cstring>

namespace hades {
namespace {

template <class T>
uint64_t bits_of(T value) {
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits;
}

// Round to nearest even; below the smallest normal half the spacing stays 2^-24.
uint64_t half_bits(float value) {
    const uint32_t bits = static_cast<uint32_t>(bits_of(value));
    const uint32_t sign = bits >> 16 & 0x8000u;
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return sign | 0x7e00u;
    if (magnitude >= 0x477ff000u) return sign | 0x7c00u;
    if (magnitude < 0x38800000u) {
        float scaled;
        std::memcpy(&scaled, &magnitude, sizeof scaled);
        return sign | static_cast<uint32_t>(__builtin_rintf(scaled * 16777216.0f));
    }
    const uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
    return sign | (rounded - 0x38000000u) >> 13;
}

uint64_t bfloat_bits(float value) {
    const uint32_t bits = static_cast<uint32_t>(bits_of(value));
    if ((bits & 0x7fffffffu) > 0x7f800000u) return bits >> 16 | 0x40u;
    return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

}  // namespace

uint64_t encode_element(DType dtype, const Attributes& attributes, const char* name) {
    const double real = attributes.real(name, 0.0);
    const Attribute* attribute = attributes.find(name);
    const bool is_real = attribute && !attribute->floats.empty();
    const int64_t integer = is_real ? static_cast<int64_t>(real) : attributes.integer(name, 0);
    switch (dtype) {
        case DType::f32:
            return bits_of(static_cast<float>(real));
        case DType::f64:
            return bits_of(real);
        case DType::f16:
            return half_bits(static_cast<float>(real));
        case DType::bf16:
            return bfloat_bits(static_cast<float>(real));
        case DType::boolean:
            return real != 0.0;
        default:
            return static_cast<uint64_t>(integer);
    }
}

const char* sized_name(const char* const (&names)[4], DType dtype) {
    switch (size_of(dtype)) {
        case 1:
            return names[0];
        case 2:
            return names[1];
        case 4:
            return names[2];
        default:
            return names[3];
    }
}

}  // namespace hades
