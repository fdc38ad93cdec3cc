#include <cstring>

#include "kernels/resize/resize_bytes_generic.h"
#include "kernels/resize/resize_generic.h"
#include "simd/storage.h"

namespace hades::scalar {
namespace {

// Odometer over the output: where the current element lies and what it reads.
struct Cursor {
    int64_t position[8];

    Cursor(const ResizeAnyArgs& a) {
        int64_t index = a.first;
        for (int64_t axis = a.rank; axis-- > 0;) {
            position[axis] = index % a.axes[axis].out;
            index /= a.axes[axis].out;
        }
    }

    void advance(const ResizeAnyArgs& a) {
        for (int64_t axis = a.rank; axis-- > 0;) {
            if (++position[axis] < a.axes[axis].out) return;
            position[axis] = 0;
        }
    }

    bool outside(const ResizeAnyArgs& a) const {
        for (int64_t axis = 0; axis < a.rank; ++axis)
            if (a.axes[axis].outside[position[axis]]) return true;
        return false;
    }

    // Whether a position along one of the outer axes is outside.
    bool outside_rows(const ResizeAnyArgs& a) const {
        for (int64_t axis = 0; axis + 1 < a.rank; ++axis)
            if (a.axes[axis].outside[position[axis]]) return true;
        return false;
    }

    int64_t y_offset(const ResizeAnyArgs& a) const {
        int64_t offset = 0;
        for (int64_t axis = 0; axis < a.rank; ++axis)
            offset += position[axis] * a.axes[axis].y_stride;
        return offset;
    }

    int64_t nearest_offset(const ResizeAnyArgs& a) const {
        int64_t offset = 0;
        for (int64_t axis = 0; axis < a.rank; ++axis)
            offset += a.axes[axis].indices[position[axis]] * a.axes[axis].x_stride;
        return offset;
    }
};

template <class T>
double sum_of_taps(const ResizeAnyArgs& a, const Cursor& cursor, int64_t axis, const T* x) {
    if (axis == a.rank) return static_cast<double>(*x);
    const ResizeAxis& table = a.axes[axis];
    const int64_t at = cursor.position[axis] * table.taps;
    double total = 0;
    for (int64_t t = 0; t < table.taps; ++t) {
        if (table.weights[at + t] == 0) continue;
        const T* line = x + table.indices[at + t] * table.x_stride;
        total += table.weights[at + t] * sum_of_taps(a, cursor, axis + 1, line);
    }
    return total;
}

// Integers are truncated as the reference of ONNX does, after a rounding to float32 that absorbs
// the last bits of the weights: a constant image stays constant.
template <class T>
T converted(double value) {
    if (typed::kIsFloat<T>) return static_cast<T>(value);
    const double rounded = static_cast<double>(static_cast<float>(value));
    if (rounded <= static_cast<double>(typed::kLowest<T>)) return typed::kLowest<T>;
    if (rounded >= static_cast<double>(typed::kHighest<T>)) return typed::kHighest<T>;
    return static_cast<T>(rounded);
}

template <class T>
void resize_any(const ResizeAnyArgs& a) {
    Cursor cursor(a);
    for (int64_t i = a.first; i < a.last; ++i, cursor.advance(a)) {
        T* y = static_cast<T*>(a.y) + cursor.y_offset(a);
        *y = cursor.outside(a)
                 ? *static_cast<const T*>(a.extrapolation)
                 : converted<T>(sum_of_taps(a, cursor, 0, static_cast<const T*>(a.x)));
    }
}

// Whether indices rise by one.
bool is_line(const int32_t* indices, int64_t n) {
    for (int64_t i = 1; i < n; ++i)
        if (indices[i] != indices[0] + i) return false;
    return true;
}

// Positions [first, first + n) of the innermost axis.
template <class T>
void nearest_run(const ResizeAxis& axis, int64_t first, int64_t n, const T* x, T* y) {
    const int32_t* indices = axis.indices + first;
    const bool moves = axis.x_stride == 1 && axis.y_stride == 1;
    if (moves && indices[n - 1] - indices[0] == n - 1 && is_line(indices, n)) {
        std::memcpy(y, x + indices[0], static_cast<size_t>(n) * sizeof(T));
        return;
    }
    for (int64_t i = 0; i < n; ++i) y[i * axis.y_stride] = x[indices[i] * axis.x_stride];
}

template <class T>
void extrapolate_run(const ResizeAxis& axis, int64_t first, int64_t n, bool all, T value, T* y) {
    for (int64_t i = 0; i < n; ++i)
        if (all || axis.outside[first + i]) y[i * axis.y_stride] = value;
}

template <class T>
void resize_nearest(const ResizeAnyArgs& a) {
    const T value = *static_cast<const T*>(a.extrapolation);
    if (a.rank == 0) {
        *static_cast<T*>(a.y) = *static_cast<const T*>(a.x);
        return;
    }
    const ResizeAxis& inner = a.axes[a.rank - 1];
    Cursor cursor(a);
    for (int64_t i = a.first; i < a.last;) {
        const int64_t first = cursor.position[a.rank - 1];
        const int64_t left = inner.out - first;
        const int64_t n = left < a.last - i ? left : a.last - i;
        T* y = static_cast<T*>(a.y) + cursor.y_offset(a);
        const int64_t own = inner.indices[first] * inner.x_stride;
        nearest_run(inner, first, n, static_cast<const T*>(a.x) + cursor.nearest_offset(a) - own,
                    y);
        extrapolate_run(inner, first, n, cursor.outside_rows(a), value, y);
        i += n;
        cursor.position[a.rank - 1] += n - 1;
        cursor.advance(a);
    }
}

}  // namespace

void resize_any_f32(const ResizeAnyArgs& a) { resize_any<float>(a); }
void resize_any_f64(const ResizeAnyArgs& a) { resize_any<double>(a); }
void resize_any_u8(const ResizeAnyArgs& a) { resize_any<uint8_t>(a); }
void resize_any_i8(const ResizeAnyArgs& a) { resize_any<int8_t>(a); }
void resize_any_i32(const ResizeAnyArgs& a) { resize_any<int32_t>(a); }
void resize_nearest_b1(const ResizeAnyArgs& a) { resize_nearest<uint8_t>(a); }
void resize_nearest_b2(const ResizeAnyArgs& a) { resize_nearest<uint16_t>(a); }
void resize_nearest_b4(const ResizeAnyArgs& a) { resize_nearest<uint32_t>(a); }
void resize_nearest_b8(const ResizeAnyArgs& a) { resize_nearest<uint64_t>(a); }

}  // namespace hades::scalar
