#include <cmath>
#include <cstring>

#include "kernels/reduce/reduce.h"
#include "simd/storage.h"

// Reductions of all dtypes other than float32, positions and running sums of all dtypes: one
// element at a time. Floats accumulate in float64; integers wrap around, and the functions that
// leave the integers (mean, l2, log_sum, log_sum_exp) compute in float64 and truncate.
namespace hades::HADES_ISA::typed {

template <class T>
using Accumulator = std::conditional_t<kIsFloat<T>, double, Wrapping<T>>;

enum class Function { sum, mean, prod, l1, l2, sum_square, log_sum, log_sum_exp, max, min };

// Calls visit(value) for every element that `reduced` reaches from x.
template <class Stored, class Visit>
HADES_INLINE void for_each(const Stored* x, const LoopNest& reduced, const Visit& visit) {
    const int64_t stride = inner_stride(reduced, 0);
    for_each_run(reduced, 0, reduced.count, [&](const int64_t* offsets, int64_t n) {
        for (int64_t i = 0; i < n; ++i) visit(decode(x[offsets[0] + i * stride]));
    });
}

template <Function function, class Stored>
HADES_INLINE Stored extreme(const Stored* x, const LoopNest& reduced) {
    using T = Computed<Stored>;
    constexpr bool largest = function == Function::max;
    T result = decode(x[0]);
    for_each(x, reduced, [&](T value) {
        const bool better = largest ? value > result : value < result;
        if (better || value != value) result = result != result ? result : value;
    });
    return encode<Stored>(result);
}

// Functions that are computed in float64 whatever the dtype.
template <Function function, class Stored>
HADES_INLINE Stored through_double(const Stored* x, const LoopNest& reduced) {
    using T = Computed<Stored>;
    double peak = 0;
    if constexpr (function == Function::log_sum_exp) {
        peak = static_cast<double>(decode(extreme<Function::max>(x, reduced)));
        if (__builtin_fabs(peak) == HUGE_VAL) return encode<Stored>(peak);
    }
    double total = 0;
    for_each(x, reduced, [&](T value) {
        const auto wide = static_cast<double>(value);
        if constexpr (function == Function::l2)
            total += wide * wide;
        else if constexpr (function == Function::log_sum_exp)
            total += __builtin_exp(wide - peak);
        else
            total += wide;
    });
    if constexpr (function == Function::mean) total /= static_cast<double>(reduced.count);
    if constexpr (function == Function::l2) total = __builtin_sqrt(total);
    if constexpr (function == Function::log_sum) total = __builtin_log(total);
    if constexpr (function == Function::log_sum_exp) total = __builtin_log(total) + peak;
    return encode<Stored>(total);
}

template <Function function, class Stored>
HADES_INLINE Stored accumulate(const Stored* x, const LoopNest& reduced) {
    using T = Computed<Stored>;
    using Wide = Accumulator<T>;
    Wide total = function == Function::prod ? Wide(1) : Wide(0);
    for_each(x, reduced, [&](T value) {
        const Wide wide = static_cast<Wide>(value);
        if constexpr (function == Function::prod)
            total *= wide;
        else if constexpr (function == Function::sum_square)
            total += wide * wide;
        else if constexpr (function == Function::l1)
            total += value < T(0) ? Wide(0) - wide : wide;
        else
            total += wide;
    });
    return encode<Stored>(kIsFloat<T> ? static_cast<T>(total) : static_cast<T>(total));
}

template <Function function, class Stored>
void reduce(const ReduceArgs& a) {
    for_each_run(*a.kept, a.begin, a.end, [&](const int64_t* offsets, int64_t n) {
        for (int64_t i = 0; i < n; ++i) {
            const auto* x =
                static_cast<const Stored*>(a.x) + offsets[0] + i * inner_stride(*a.kept, 0);
            auto* y = static_cast<Stored*>(a.y) + offsets[1] + i * inner_stride(*a.kept, 1);
            if constexpr (function == Function::max || function == Function::min)
                *y = extreme<function>(x, *a.reduced);
            else if constexpr (function == Function::mean || function == Function::l2 ||
                               function == Function::log_sum || function == Function::log_sum_exp)
                *y = through_double<function>(x, *a.reduced);
            else
                *y = accumulate<function>(x, *a.reduced);
        }
    });
}

// Booleans have extrema only: max is "any", min is "all".
template <Function function>
Reduce* find(DType dtype) {
    return visit(dtype, [](auto tag) -> Reduce* {
        using Stored = typename decltype(tag)::type;
        constexpr bool extremum = function == Function::max || function == Function::min;
        if constexpr (extremum || kDomain<Stored> != kBoolean)
            return reduce<function, Stored>;
        else
            return nullptr;
    });
}

template <class Stored>
int64_t arg_reduce_line(const void* data, int64_t stride, int64_t n, bool largest, bool last) {
    using T = Computed<Stored>;
    const auto* x = static_cast<const Stored*>(data);
    int64_t position = 0;
    T best = decode(x[0]);
    for (int64_t i = 1; i < n; ++i) {
        const T value = decode(x[i * stride]);
        bool better = largest ? value > best : value < best;
        better |= value != value && best == best;
        if (better || (last && value == best)) {
            best = value;
            position = i;
        }
    }
    return position;
}

template <class Stored>
void cumsum_line(const CumsumArgs& a) {
    using T = Computed<Stored>;
    const auto* x = static_cast<const Stored*>(a.x);
    auto* y = static_cast<Stored*>(a.y);
    Accumulator<T> total = 0;
    for (int64_t i = 0; i < a.n; ++i) {
        const auto value = static_cast<Accumulator<T>>(decode(x[i * a.x_stride]));
        if (a.exclusive) y[i * a.y_stride] = encode<Stored>(static_cast<T>(total));
        total += value;
        if (!a.exclusive) y[i * a.y_stride] = encode<Stored>(static_cast<T>(total));
    }
}

}  // namespace hades::HADES_ISA::typed

namespace hades::HADES_ISA {

Reduce* reduce_typed(const char* function, DType dtype) {
#define HADES_REDUCE(name) \
    if (strcmp(function, #name) == 0) return typed::find<typed::Function::name>(dtype);
    HADES_REDUCE(sum)
    HADES_REDUCE(mean)
    HADES_REDUCE(prod)
    HADES_REDUCE(l1)
    HADES_REDUCE(l2)
    HADES_REDUCE(sum_square)
    HADES_REDUCE(log_sum)
    HADES_REDUCE(log_sum_exp)
    HADES_REDUCE(max)
    HADES_REDUCE(min)
#undef HADES_REDUCE
    return nullptr;
}

ArgReduce* arg_reduce(DType dtype) {
    return typed::visit(dtype, [](auto tag) -> ArgReduce* {
        return typed::arg_reduce_line<typename decltype(tag)::type>;
    });
}

Cumsum* cumsum(DType dtype) {
    return typed::visit(dtype, [](auto tag) -> Cumsum* {
        using Stored = typename decltype(tag)::type;
        if constexpr (typed::kDomain<Stored> != kBoolean)
            return typed::cumsum_line<Stored>;
        else
            return nullptr;
    });
}

}  // namespace hades::HADES_ISA
