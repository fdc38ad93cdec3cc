#pragma once
#include "kernels/conv/conv.h"
#include "simd/simd.h"

// Where a kernel reads its input from: the image, or a staged copy of some of its columns.
namespace hades::HADES_ISA {

// Channel 0 of input row r, column c is at base + r * row + c * pixel.
struct Source {
    const float* base;
    int64_t row, pixel;
};

HADES_INLINE int lanes_left(int64_t i, int64_t n) {
    return n - i < kLanes ? static_cast<int>(n - i) : kLanes;
}

HADES_INLINE void copy_floats(float* to, const float* from, int64_t n) {
    for (int64_t i = 0; i < n; i += kLanes) {
        const int lanes = lanes_left(i, n);
        store_n(to + i, load_n(from + i, lanes), lanes);
    }
}

HADES_INLINE void clear_floats(float* to, int64_t n) {
    for (int64_t i = 0; i < n; i += kLanes) store_n(to + i, zero(), lanes_left(i, n));
}

// Columns [begin, end) of one image row; columns outside the image become zeros.
HADES_INLINE void stage_row(float* to, const float* row, const ConvShape& s, int64_t begin,
                            int64_t end, int64_t channels, int64_t pitch) {
    const int64_t inside_begin = begin > 0 ? begin : 0;
    const int64_t inside_end = end < s.width ? end : s.width;
    const bool dense = pitch == channels && s.x_pixel == channels;
    if (dense && inside_begin < inside_end) {
        clear_floats(to, (inside_begin - begin) * pitch);
        copy_floats(to + (inside_begin - begin) * pitch, row + inside_begin * s.x_pixel,
                    (inside_end - inside_begin) * pitch);
        clear_floats(to + (inside_end - begin) * pitch, (end - inside_end) * pitch);
        return;
    }
    for (int64_t column = begin; column < end; ++column, to += pitch) {
        if (column < inside_begin || column >= inside_end)
            clear_floats(to, channels);
        else
            copy_floats(to, row + column * s.x_pixel, channels);
    }
}

// The source of one segment for the output rows of the chunk, input channels [slice, slice +
// channels) of its group. A staged source takes its memory from *scratch and advances it.
static Source segment_source(const ConvArgs& a, const ConvSegment& segment, int64_t slice,
                             int64_t channels, float** scratch) {
    const ConvShape& s = *a.shape;
    const float* image = a.x + a.chunk.image * s.x_image + a.chunk.group * s.ic + slice;
    if (!segment.staged) return {image, s.x_row, s.x_pixel};

    const InputWindow seen = input_window(s, a.chunk, segment.begin, segment.end);
    const int64_t pitch = a.plan->pitch;
    const int64_t row = (seen.column_end - seen.column_begin) * pitch;
    float* to = *scratch;
    for (int64_t r = seen.row_begin; r < seen.row_end; ++r, to += row)
        stage_row(to, image + r * s.x_row, s, seen.column_begin, seen.column_end, channels, pitch);
    const Source source = {*scratch - seen.row_begin * row - seen.column_begin * pitch, row, pitch};
    if (seen.row_end > seen.row_begin) *scratch = to;
    return source;
}

// The segment clipped to the columns of the chunk.
HADES_INLINE ConvSegment clip(const ConvSegment& segment, const ConvChunk& chunk) {
    const int64_t begin = segment.begin > chunk.column_begin ? segment.begin : chunk.column_begin;
    const int64_t end = segment.end < chunk.column_end ? segment.end : chunk.column_end;
    return {begin, end > begin ? end : begin, segment.staged};
}

}  // namespace hades::HADES_ISA
