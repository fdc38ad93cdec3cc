#pragma once
#include <cstddef>
#include <cstdint>

#include "base/macros.h"

namespace hades {

// The order is that of `DTYPES` in pyhades/dtypes.py.
enum class DType : uint8_t { f32, f64, f16, bf16, i8, i16, i32, i64, u8, u16, u32, u64, boolean };
constexpr int kDTypeCount = 13;

HADES_INLINE constexpr size_t size_of(DType dtype) {
    switch (dtype) {
        case DType::f64:
        case DType::i64:
        case DType::u64:
            return 8;
        case DType::f32:
        case DType::i32:
        case DType::u32:
            return 4;
        case DType::f16:
        case DType::bf16:
        case DType::i16:
        case DType::u16:
            return 2;
        default:
            return 1;
    }
}

HADES_INLINE constexpr const char* name_of(DType dtype) {
    constexpr const char* names[kDTypeCount] = {
        "float32", "float64", "float16", "bfloat16", "int8",   "int16", "int32",
        "int64",   "uint8",   "uint16",  "uint32",   "uint64", "bool"};
    return names[static_cast<int>(dtype)];
}

// Sets of dtypes.
enum Domain : int {
    kNone = 0,
    kFloating = 1,  // float64, float32, and the 16-bit floats, which compute in float32
    kInteger = 2,
    kBoolean = 4,
    kNumber = kFloating | kInteger,
    kAll = kNumber | kBoolean,
};

}  // namespace hades
