#pragma once
#include <cstring>

#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/typed_functions.h"

// Loops over one run of any dtype, instantiated per function and storage type; a find function
// returns the loop, so that nothing is decided while it runs. Contiguous runs have a loop of their
// own, which the compiler vectorises.
namespace hades::HADES_ISA::typed {

// Results of a predicate are booleans; other results are stored as the operands are.
template <class Stored, class Result>
using StoredResult = std::conditional_t<std::is_same_v<Result, bool>, Bool, Stored>;

template <class Function, class Stored>
void unary_loop(const void* x_data, int64_t x_stride, void* y_data, int64_t y_stride, int64_t n) {
    using Result = StoredResult<Stored, decltype(Function::call(Computed<Stored>{}))>;
    const auto* x = static_cast<const Stored*>(x_data);
    auto* y = static_cast<Result*>(y_data);
    if (x_stride == 1 && y_stride == 1) {
        for (int64_t i = 0; i < n; ++i) y[i] = encode<Result>(Function::call(decode(x[i])));
        return;
    }
    for (int64_t i = 0; i < n; ++i)
        y[i * y_stride] = encode<Result>(Function::call(decode(x[i * x_stride])));
}

template <class Function, class Stored>
void binary_loop(const void* a_data, int64_t a_stride, const void* b_data, int64_t b_stride,
                 void* y_data, int64_t y_stride, int64_t n) {
    using Value = Computed<Stored>;
    using Result = StoredResult<Stored, decltype(Function::call(Value{}, Value{}))>;
    const auto* a = static_cast<const Stored*>(a_data);
    const auto* b = static_cast<const Stored*>(b_data);
    auto* y = static_cast<Result*>(y_data);
    if (a_stride == 1 && b_stride == 1 && y_stride == 1) {
        for (int64_t i = 0; i < n; ++i)
            y[i] = encode<Result>(Function::call(decode(a[i]), decode(b[i])));
        return;
    }
    for (int64_t i = 0; i < n; ++i)
        y[i * y_stride] =
            encode<Result>(Function::call(decode(a[i * a_stride]), decode(b[i * b_stride])));
}

template <class Bytes>
void select_loop(const void* condition_data, int64_t condition_stride, const void* a_data,
                 int64_t a_stride, const void* b_data, int64_t b_stride, void* y_data,
                 int64_t y_stride, int64_t n) {
    const auto* condition = static_cast<const uint8_t*>(condition_data);
    const auto* a = static_cast<const Bytes*>(a_data);
    const auto* b = static_cast<const Bytes*>(b_data);
    auto* y = static_cast<Bytes*>(y_data);
    const auto choose = [&](int64_t a_step, int64_t b_step) {
        for (int64_t i = 0; i < n; ++i) {
            const Bytes yes = a[i * a_step], no = b[i * b_step];
            y[i] = condition[i] ? yes : no;
        }
    };
    if (condition_stride == 1 && y_stride == 1) {  // constants, so that loops become vectors
        if (a_stride == 1 && b_stride == 1) return choose(1, 1);
        if (a_stride == 0 && b_stride == 1) return choose(0, 1);
        if (a_stride == 1 && b_stride == 0) return choose(1, 0);
    }
    for (int64_t i = 0; i < n; ++i)
        y[i * y_stride] = condition[i * condition_stride] ? a[i * a_stride] : b[i * b_stride];
}

// Floats become integers by truncation; what does not fit is taken through int64, whose smallest
// value stands for NaN and for everything out of its own range, and wraps around.
template <class To, class From>
HADES_INLINE To convert(From value) {
    if constexpr (kIsFloat<From> && std::is_integral_v<To> && !std::is_same_v<To, bool>) {
        constexpr From kLimit = static_cast<From>(0x1p63);
        if (std::is_same_v<To, uint64_t> && value >= kLimit && value < 2 * kLimit)
            return static_cast<To>(uint64_t{1} << 63 | static_cast<uint64_t>(value - kLimit));
        if (!(value >= -kLimit && value < kLimit)) return static_cast<To>(INT64_MIN);
        return static_cast<To>(static_cast<int64_t>(value));
    } else if constexpr (std::is_same_v<To, bool>) {
        return value != 0;
    } else {
        return static_cast<To>(value);
    }
}

template <class From, class To>
void cast_loop(const void* x_data, int64_t x_stride, void* y_data, int64_t y_stride, int64_t n) {
    const auto* x = static_cast<const From*>(x_data);
    auto* y = static_cast<To*>(y_data);
    if (x_stride == 1 && y_stride == 1) {
        for (int64_t i = 0; i < n; ++i) y[i] = encode<To>(convert<Computed<To>>(decode(x[i])));
        return;
    }
    for (int64_t i = 0; i < n; ++i)
        y[i * y_stride] = encode<To>(convert<Computed<To>>(decode(x[i * x_stride])));
}

template <class Function, Domain domain>
UnaryLoop* unary_of(DType dtype) {
    return visit(dtype, [](auto tag) -> UnaryLoop* {
        using Stored = typename decltype(tag)::type;
        if constexpr ((domain & kDomain<Stored>) != 0)
            return unary_loop<Function, Stored>;
        else
            return nullptr;
    });
}

template <class Function, Domain domain>
BinaryLoop* binary_of(DType dtype) {
    return visit(dtype, [](auto tag) -> BinaryLoop* {
        using Stored = typename decltype(tag)::type;
        if constexpr ((domain & kDomain<Stored>) != 0)
            return binary_loop<Function, Stored>;
        else
            return nullptr;
    });
}

}  // namespace hades::HADES_ISA::typed

namespace hades::HADES_ISA {

// What a row of the table with these dtypes and operands has to say.
#define HADES_TYPED_kNone(...)
#define HADES_TYPED_kAll(...) __VA_ARGS__
#define HADES_TYPED_kNumber(...) __VA_ARGS__
#define HADES_TYPED_kFloating(...) __VA_ARGS__
#define HADES_TYPED_kInteger(...) __VA_ARGS__
#define HADES_TYPED_kBoolean(...) __VA_ARGS__

UnaryLoop* unary(int function, DType x) {
    switch (function) {
#define HADES_UNARY_1(...) __VA_ARGS__
#define HADES_UNARY_2(...)
#define HADES_UNARY_3(...)
#define HADES_FUNCTION(name, operands, number, program, dtypes, predicate, activation) \
    HADES_UNARY_##operands(                                                            \
        HADES_TYPED_##dtypes(case number : return typed::unary_of<typed::name##_fn, dtypes>(x);))
#include "base/functions.inc"
#undef HADES_FUNCTION
#undef HADES_UNARY_1
#undef HADES_UNARY_2
#undef HADES_UNARY_3
    }
    return nullptr;
}

BinaryLoop* binary(int function, DType operands) {
    switch (function) {
#define HADES_BINARY_1(...)
#define HADES_BINARY_2(...) __VA_ARGS__
#define HADES_BINARY_3(...)
#define HADES_FUNCTION(name, operands_, number, program, dtypes, predicate, activation) \
    HADES_BINARY_##operands_(HADES_TYPED_##dtypes(                                      \
        case number : return typed::binary_of<typed::name##_fn, dtypes>(operands);))
#include "base/functions.inc"
#undef HADES_FUNCTION
#undef HADES_BINARY_1
#undef HADES_BINARY_2
#undef HADES_BINARY_3
    }
    return nullptr;
}

#undef HADES_TYPED_kNone
#undef HADES_TYPED_kAll
#undef HADES_TYPED_kNumber
#undef HADES_TYPED_kFloating
#undef HADES_TYPED_kInteger
#undef HADES_TYPED_kBoolean

SelectLoop* select(DType values) {
    switch (size_of(values)) {
        case 1:
            return typed::select_loop<uint8_t>;
        case 2:
            return typed::select_loop<uint16_t>;
        case 4:
            return typed::select_loop<uint32_t>;
        default:
            return typed::select_loop<uint64_t>;
    }
}

UnaryLoop* cast(DType from, DType to) {
    return typed::visit(from, [to](auto from_tag) {
        return typed::visit(to, [](auto to_tag) -> UnaryLoop* {
            return typed::cast_loop<typename decltype(from_tag)::type,
                                    typename decltype(to_tag)::type>;
        });
    });
}

}  // namespace hades::HADES_ISA
