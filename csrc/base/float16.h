#pragma once
#include <cstdint>
#include <cstring>

#include "base/macros.h"

// The two 16-bit floats as storage types with their codecs: the specification of what vectorised
// conversions compute. Rounding is to nearest even; NaN stays NaN.
namespace hades {

struct Float16 {
    uint16_t bits;
};
struct BFloat16 {
    uint16_t bits;
};

HADES_INLINE uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}
HADES_INLINE float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

HADES_INLINE float to_float(BFloat16 half) { return float_of(uint32_t{half.bits} << 16); }

HADES_INLINE BFloat16 to_bfloat16(float value) {
    const uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>(bits >> 16 | 0x40u)};
    return {static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
}

HADES_INLINE float to_float(Float16 half) {
    const uint32_t sign = uint32_t{half.bits & 0x8000u} << 16;
    const uint32_t exponent = half.bits >> 10 & 0x1fu;
    const uint32_t mantissa = half.bits & 0x3ffu;
    if (exponent == 0x1f) return float_of(sign | 0x7f800000u | mantissa << 13);
    if (exponent != 0) return float_of(sign | (exponent + 112u) << 23 | mantissa << 13);
    // A denormal is a whole multiple of 2^-24, which float32 holds exactly.
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return float_of(sign | bits_of(magnitude));
}

HADES_INLINE Float16 to_float16(float value) {
    const uint32_t bits = bits_of(value);
    const uint32_t sign = bits >> 16 & 0x8000u;
    const uint32_t magnitude = bits & 0x7fffffffu;
    uint32_t half;
    if (magnitude > 0x7f800000u) {
        half = 0x7e00u | (magnitude >> 13 & 0x3ffu);
    } else if (magnitude >= 0x477ff000u) {  // rounds to 2^16, beyond the largest
        half = 0x7c00u;
    } else if (magnitude >= 0x38800000u) {  // normal
        half = (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
    } else {  // adding 1/2 leaves the multiple of 2^-24 in the low bits, rounded
        half = bits_of(float_of(magnitude) + 0.5f) - 0x3f000000u;
    }
    return {static_cast<uint16_t>(sign | half)};
}

}  // namespace hades
