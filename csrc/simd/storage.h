#pragma once
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "base/dtype.h"
#include "base/float16.h"
#include "base/macros.h"

// Elements of every dtype for loops that are written once and instantiated per storage type: how an
// element is decoded to compute, how a result is encoded, how a dtype becomes a type.
namespace hades::HADES_ISA::typed {

template <class T>
constexpr bool kIsFloat = std::is_floating_point_v<T>;
template <class T>
constexpr bool kIsSigned = std::is_signed_v<T>;

// The ends of a type's range; those of floats are infinite.
template <class T>
constexpr T kLowest = kIsFloat<T>    ? static_cast<T>(-HUGE_VAL)
                      : kIsSigned<T> ? static_cast<T>(uint64_t{1} << (8 * sizeof(T) - 1))
                                     : T{0};
template <class T>
constexpr T kHighest =
    kIsFloat<T> ? static_cast<T>(HUGE_VAL)
                : static_cast<T>(~uint64_t{0} >> (64 - 8 * sizeof(T) + (kIsSigned<T> ? 1 : 0)));

// An unsigned type in which T's arithmetic wraps; at least 32 bits wide, so that nothing promotes.
template <class T>
using Wrapping = std::conditional_t<(sizeof(T) > 4), uint64_t, uint32_t>;

// Boolean arrays hold bytes; any byte but 0 is true.
struct Bool {
    uint8_t byte;
};

// decode: what a stored element computes as. encode: how a result is stored.
template <class T>
HADES_INLINE T decode(T value) {
    return value;
}
HADES_INLINE float decode(Float16 value) { return to_float(value); }
HADES_INLINE float decode(BFloat16 value) { return to_float(value); }
HADES_INLINE bool decode(Bool value) { return value.byte != 0; }

template <class Stored, class Value>
HADES_INLINE Stored encode(Value value) {
    if constexpr (std::is_same_v<Stored, Float16>)
        return to_float16(static_cast<float>(value));
    else if constexpr (std::is_same_v<Stored, BFloat16>)
        return to_bfloat16(static_cast<float>(value));
    else if constexpr (std::is_same_v<Stored, Bool>)
        return {static_cast<uint8_t>(value)};
    else
        return static_cast<Stored>(value);
}

template <class Stored>
using Computed = decltype(decode(Stored{}));

template <class Stored>
constexpr int kDomain = std::is_same_v<Stored, Bool> ? kBoolean
                        : kIsFloat<Computed<Stored>> ? kFloating
                                                     : kInteger;

template <class Stored>
struct Tag {
    using type = Stored;
};

// visitor(Tag<Stored>{}) for the storage type of that dtype.
template <class Visitor>
HADES_INLINE auto visit(DType dtype, const Visitor& visitor) {
    switch (dtype) {
        case DType::f32:
            return visitor(Tag<float>{});
        case DType::f64:
            return visitor(Tag<double>{});
        case DType::f16:
            return visitor(Tag<Float16>{});
        case DType::bf16:
            return visitor(Tag<BFloat16>{});
        case DType::i8:
            return visitor(Tag<int8_t>{});
        case DType::i16:
            return visitor(Tag<int16_t>{});
        case DType::i32:
            return visitor(Tag<int32_t>{});
        case DType::i64:
            return visitor(Tag<int64_t>{});
        case DType::u8:
            return visitor(Tag<uint8_t>{});
        case DType::u16:
            return visitor(Tag<uint16_t>{});
        case DType::u32:
            return visitor(Tag<uint32_t>{});
        case DType::u64:
            return visitor(Tag<uint64_t>{});
        default:
            return visitor(Tag<Bool>{});
    }
}

}  // namespace hades::HADES_ISA::typed
