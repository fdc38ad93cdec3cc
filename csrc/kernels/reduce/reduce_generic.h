#pragma once
#include <cstring>

#include "kernels/reduce/reduce.h"
#include "simd/math.h"
#include "simd/sum.h"

// float32 reductions. Where the reduced axis is contiguous, lanes run along it; where a kept axis
// is, lanes are outputs and rows of the input are combined one after another, so that both layouts
// of an image read memory in order. Sums add blocks in float32 and the blocks in float64.
namespace hades::HADES_ISA::reduction {

HADES_INLINE float root(double x) { return static_cast<float>(__builtin_sqrt(x)); }

struct Sum {
    static constexpr bool is_sum = true;
    static inline __attribute__((always_inline)) F32 term(F32 x) { return x; }
    static inline __attribute__((always_inline)) float finish(double total, int64_t) {
        return static_cast<float>(total);
    }
};
struct Mean : Sum {
    static inline __attribute__((always_inline)) float finish(double total, int64_t n) {
        return static_cast<float>(total / static_cast<double>(n));
    }
};
struct LogSum : Sum {
    static inline __attribute__((always_inline)) float finish(double total, int64_t) {
        return static_cast<float>(__builtin_log(total));
    }
};
struct L1 : Sum {
    static inline __attribute__((always_inline)) F32 term(F32 x) { return abs(x); }
};
struct SumSquare : Sum {
    static inline __attribute__((always_inline)) F32 term(F32 x) { return x * x; }
};
struct L2 : SumSquare {
    static inline __attribute__((always_inline)) float finish(double total, int64_t) {
        return root(total);
    }
};

// NaN anywhere gives NaN.
struct Max {
    static constexpr bool is_sum = false;
    static constexpr float identity = -HUGE_VALF;
    static inline __attribute__((always_inline)) F32 combine(F32 a, F32 b) {
        return select(is_nan(a), a, max(a, b));
    }
    static inline __attribute__((always_inline)) float combine(float a, float b) {
        return a > b || a != a ? a : b;
    }
};
struct Min {
    static constexpr bool is_sum = false;
    static constexpr float identity = HUGE_VALF;
    static inline __attribute__((always_inline)) F32 combine(F32 a, F32 b) {
        return select(is_nan(a), a, min(a, b));
    }
    static inline __attribute__((always_inline)) float combine(float a, float b) {
        return a < b || a != a ? a : b;
    }
};
struct Prod {
    static constexpr bool is_sum = false;
    static constexpr float identity = 1.0f;
    static inline __attribute__((always_inline)) F32 combine(F32 a, F32 b) { return a * b; }
    static inline __attribute__((always_inline)) float combine(float a, float b) { return a * b; }
};

// `lanes` elements `stride` apart, `fill` in the lanes that do not exist. A call: in place it would
// be most of the code of every reduction.
static __attribute__((noinline)) F32 load_apart(const float* line, int64_t stride, int lanes,
                                                float fill) {
    float values[kLanes];
    for (int k = 0; k < kLanes; ++k) values[k] = k < lanes ? line[k * stride] : fill;
    return load(values);
}

// Elements [i, i + lanes) of a line with any stride, `fill` in the lanes that do not exist.
HADES_INLINE F32 load_line(const float* line, int64_t stride, int64_t i, int lanes, float fill) {
    if (stride == 1 && lanes == kLanes) return load(line + i);
    return load_apart(line + i * stride, stride, lanes, fill);
}

template <class R>
HADES_INLINE float combine_line(const float* line, int64_t stride, int64_t n) {
    F32 all = set1(R::identity);
    for (int64_t i = 0; i < n; i += kLanes)
        all = R::combine(all, load_line(line, stride, i, lanes_left(i, n), R::identity));
    float lanes[kLanes];
    store(lanes, all);
    float result = lanes[0];
    for (int k = 1; k < kLanes; ++k) result = R::combine(result, lanes[k]);
    return result;
}

// One output: everything that `reduced` reaches from x.
template <class R>
HADES_INLINE float reduce_element(const float* x, const LoopNest& reduced) {
    const int64_t stride = inner_stride(reduced, 0);
    if constexpr (R::is_sum) {
        double total = 0;
        for_each_run(reduced, 0, reduced.count, [&](const int64_t* offsets, int64_t n) {
            const float* line = x + offsets[0];
            total += sum_terms(n, [&](int64_t i, int lanes) {
                return R::term(load_line(line, stride, i, lanes, 0.0f));
            });
        });
        return R::finish(total, reduced.count);
    } else {
        float result = R::identity;
        for_each_run(reduced, 0, reduced.count, [&](const int64_t* offsets, int64_t n) {
            result = R::combine(result, combine_line<R>(x + offsets[0], stride, n));
        });
        return result;
    }
}

constexpr int64_t kColumns = 256;     // outputs at a time: their sums stay in the first-level cache
constexpr int64_t kColumnRows = 128;  // rows that are added in float32

// Adds or combines n rows of `columns` contiguous elements into `all`.
template <class R>
HADES_INLINE void combine_rows(const float* x, int64_t stride, int64_t n, int64_t columns,
                               float* all) {
    for (int64_t c = 0; c < columns; c += kLanes) {
        const int lanes = lanes_left(c, columns);
        F32 value = load_n(all + c, lanes);
        for (int64_t r = 0; r < n; ++r) {
            const F32 row = load_n(x + r * stride + c, lanes);
            if constexpr (R::is_sum)
                value = value + R::term(row);
            else
                value = R::combine(value, row);
        }
        store_n(all + c, value, lanes);
    }
}

template <class R>
HADES_INLINE void reduce_columns(const float* x, const LoopNest& reduced, float* y,
                                 int64_t y_stride, int64_t columns) {
    const int64_t stride = inner_stride(reduced, 0);
    float block[kColumns];
    double totals[kColumns];
    float start = 0.0f;
    if constexpr (!R::is_sum) start = R::identity;
    for (int64_t c = 0; c < columns; ++c) {
        totals[c] = 0;
        block[c] = start;
    }
    for_each_run(reduced, 0, reduced.count, [&](const int64_t* offsets, int64_t n) {
        for (int64_t r = 0; r < n; r += kColumnRows) {
            const int64_t rows = n - r < kColumnRows ? n - r : kColumnRows;
            combine_rows<R>(x + offsets[0] + r * stride, stride, rows, columns, block);
            if constexpr (R::is_sum) {
                for (int64_t c = 0; c < columns; ++c) {
                    totals[c] += block[c];
                    block[c] = 0.0f;
                }
            }
        }
    });
    for (int64_t c = 0; c < columns; ++c) {
        if constexpr (R::is_sum)
            y[c * y_stride] = R::finish(totals[c], reduced.count);
        else
            y[c * y_stride] = block[c];
    }
}

constexpr int64_t kFew = 16;  // so few elements are reduced lane by lane, an output per lane

template <class R>
HADES_INLINE void reduce_few(const float* x, int64_t x_stride, const LoopNest& reduced, float* y,
                             int64_t y_stride, int64_t n) {
    float start = 0.0f;
    if constexpr (!R::is_sum) start = R::identity;
    for (int64_t i = 0; i < n; i += kLanes) {
        const int lanes = lanes_left(i, n);
        F32 all = set1(start);
        for (int64_t r = 0; r < reduced.count; ++r) {
            const F32 value = load_line(x + r * inner_stride(reduced, 0), x_stride, i, lanes, 0.0f);
            if constexpr (R::is_sum)
                all = all + R::term(value);
            else
                all = R::combine(all, value);
        }
        float results[kLanes];
        store(results, all);
        for (int k = 0; k < lanes; ++k) {
            if constexpr (R::is_sum)
                y[(i + k) * y_stride] = R::finish(results[k], reduced.count);
            else
                y[(i + k) * y_stride] = results[k];
        }
    }
}

template <class R>
void reduce(const ReduceArgs& a) {
    const int64_t x_stride = inner_stride(*a.kept, 0);
    const int64_t y_stride = inner_stride(*a.kept, 1);
    const bool by_columns = x_stride == 1 && inner_stride(*a.reduced, 0) != 1;
    for_each_run(*a.kept, a.begin, a.end, [&](const int64_t* offsets, int64_t n) {
        const float* x = static_cast<const float*>(a.x) + offsets[0];
        float* y = static_cast<float*>(a.y) + offsets[1];
        if (a.reduced->rank == 1 && a.reduced->count <= kFew)
            return reduce_few<R>(x, x_stride, *a.reduced, y, y_stride, n);
        if (!by_columns) {
            for (int64_t i = 0; i < n; ++i)
                y[i * y_stride] = reduce_element<R>(x + i * x_stride, *a.reduced);
            return;
        }
        for (int64_t i = 0; i < n; i += kColumns)
            reduce_columns<R>(x + i, *a.reduced, y + i * y_stride, y_stride,
                              n - i < kColumns ? n - i : kColumns);
    });
}

// log(sum(exp(x))), shifted by the maximum; an infinite maximum is the result.
void log_sum_exp(const ReduceArgs& a) {
    const int64_t x_stride = inner_stride(*a.kept, 0);
    const int64_t stride = inner_stride(*a.reduced, 0);
    for_each_run(*a.kept, a.begin, a.end, [&](const int64_t* offsets, int64_t n) {
        for (int64_t i = 0; i < n; ++i) {
            const float* x = static_cast<const float*>(a.x) + offsets[0] + i * x_stride;
            float* y = static_cast<float*>(a.y) + offsets[1] + i * inner_stride(*a.kept, 1);
            const float peak = reduce_element<Max>(x, *a.reduced);
            *y = peak;
            if (__builtin_fabsf(peak) == HUGE_VALF) continue;
            double total = 0;
            for_each_run(*a.reduced, 0, a.reduced->count, [&](const int64_t* inner, int64_t m) {
                const float* line = x + inner[0];
                total += sum_terms(m, [&](int64_t k, int lanes) {
                    return exp(load_line(line, stride, k, lanes, 0.0f) - set1(peak));
                });
            });
            *y = static_cast<float>(__builtin_log(total) + peak);
        }
    });
}

}  // namespace hades::HADES_ISA::reduction

namespace hades::HADES_ISA {

Reduce* reduce_f32(const char* function, DType dtype) {
    if (dtype != DType::f32) return nullptr;
    if (strcmp(function, "sum") == 0) return reduction::reduce<reduction::Sum>;
    if (strcmp(function, "mean") == 0) return reduction::reduce<reduction::Mean>;
    if (strcmp(function, "max") == 0) return reduction::reduce<reduction::Max>;
    if (strcmp(function, "min") == 0) return reduction::reduce<reduction::Min>;
    if (strcmp(function, "prod") == 0) return reduction::reduce<reduction::Prod>;
    if (strcmp(function, "l1") == 0) return reduction::reduce<reduction::L1>;
    if (strcmp(function, "l2") == 0) return reduction::reduce<reduction::L2>;
    if (strcmp(function, "sum_square") == 0) return reduction::reduce<reduction::SumSquare>;
    if (strcmp(function, "log_sum") == 0) return reduction::reduce<reduction::LogSum>;
    if (strcmp(function, "log_sum_exp") == 0) return reduction::log_sum_exp;
    return nullptr;
}

}  // namespace hades::HADES_ISA
