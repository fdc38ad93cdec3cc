#include <cstring>

#include "kernels/layout/layout_generic.h"

namespace hades::scalar {
namespace {

template <class T>
void fill(T* y, int64_t n, T value) {
    for (int64_t i = 0; i < n; ++i) y[i] = value;
}

template <class T>
void copy_line(const T* x, int64_t x_step, T* y, int64_t y_step, int64_t n) {
    if (x_step == 0 && y_step == 1) return fill(y, n, *x);
    for (int64_t i = 0; i < n; ++i) y[i * y_step] = x[i * x_step];
}

// The longer axis goes inside: interleaving three planes walks the planes, not the three. Pieces of
// it stay in the first-level cache until the last of the three has been there.
template <class T>
void copy_strided(const CopyBlockArgs& a) {
    const T* x = static_cast<const T*>(a.x);
    T* y = static_cast<T*>(a.y);
    if (a.columns >= a.rows || a.columns > 16) {
        for (int64_t r = 0; r < a.rows; ++r)
            copy_line(x + r * a.x_row, a.x_column, y + r * a.y_row, a.y_column, a.columns);
    } else {
        constexpr int64_t kPiece = 128;
        for (int64_t r = 0; r < a.rows; r += kPiece) {
            const int64_t n = a.rows - r < kPiece ? a.rows - r : kPiece;
            for (int64_t c = 0; c < a.columns; ++c)
                copy_line(x + r * a.x_row + c * a.x_column, a.x_row,
                          y + r * a.y_row + c * a.y_column, a.y_row, n);
        }
    }
}

template <class T>
void pad_segment(const PadRowArgs& a, const PadSegment& segment, T* y) {
    const bool dense = a.y_column == a.inner;
    if (segment.x < 0 || !a.x) {
        const T value = *static_cast<const T*>(a.value);
        if (dense) return fill(y, segment.count * a.inner, value);
        for (int64_t i = 0; i < segment.count; ++i) fill(y + i * a.y_column, a.inner, value);
        return;
    }
    const T* x = static_cast<const T*>(a.x) + segment.x * a.x_column;
    const int64_t x_step = segment.step * a.x_column;
    if (dense && x_step == a.inner) {
        std::memcpy(y, x, static_cast<size_t>(segment.count * a.inner) * sizeof(T));
    } else if (a.inner == 1) {
        copy_line(x, x_step, y, a.y_column, segment.count);
    } else {
        for (int64_t i = 0; i < segment.count; ++i)
            std::memcpy(y + i * a.y_column, x + i * x_step,
                        static_cast<size_t>(a.inner) * sizeof(T));
    }
}

template <class T>
void pad_row(const PadRowArgs& a) {
    T* y = static_cast<T*>(a.y);
    if (!a.x) return pad_segment(a, {0, -1, a.columns, 0}, y);
    for (int64_t i = 0; i < a.segment_count; ++i)
        pad_segment(a, a.segments[i], y + a.segments[i].y * a.y_column);
}

}  // namespace

void copy_rows(const CopyBlockArgs& a) {
    for (int64_t r = 0; r < a.rows; ++r)
        std::memcpy(static_cast<char*>(a.y) + r * a.y_row,
                    static_cast<const char*>(a.x) + r * a.x_row, static_cast<size_t>(a.columns));
}

void transpose_b1(const CopyBlockArgs& a) { copy_strided<uint8_t>(a); }
void copy_strided_b1(const CopyBlockArgs& a) { copy_strided<uint8_t>(a); }
void copy_strided_b2(const CopyBlockArgs& a) { copy_strided<uint16_t>(a); }
void copy_strided_b4(const CopyBlockArgs& a) { copy_strided<uint32_t>(a); }
void copy_strided_b8(const CopyBlockArgs& a) { copy_strided<uint64_t>(a); }

void pad_row_b1(const PadRowArgs& a) { pad_row<uint8_t>(a); }
void pad_row_b2(const PadRowArgs& a) { pad_row<uint16_t>(a); }
void pad_row_b4(const PadRowArgs& a) { pad_row<uint32_t>(a); }
void pad_row_b8(const PadRowArgs& a) { pad_row<uint64_t>(a); }

}  // namespace hades::scalar
