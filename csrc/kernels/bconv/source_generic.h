#pragma once
#include <cstring>

#include "kernels/bconv/bconv.h"
#include "simd/simd.h"

// Where a kernel reads its input from: the image, or a copy of some of it in which the columns
// outside the image hold zeros.
namespace hades::HADES_ISA {

// Channel 0 of input row r, column c is at base + r * row + c * pixel.
struct Source {
    const uint16_t* base;
    int64_t row, pixel;
};

HADES_INLINE size_t bytes_of(int64_t elements) {
    return static_cast<size_t>(elements) * sizeof(uint16_t);
}

// Columns [begin, end) of one image row.
HADES_INLINE void stage_row(uint16_t* to, const uint16_t* row, const ConvShape& s, int64_t begin,
                            int64_t end, int64_t channels, int64_t pitch) {
    const int64_t last = end < s.width ? end : s.width;
    const int64_t inside_end = last > begin ? last : begin;
    const int64_t inside_begin = begin > 0 ? begin : 0 < inside_end ? 0 : inside_end;
    memset(to, 0, bytes_of((inside_begin - begin) * pitch));
    to += (inside_begin - begin) * pitch;
    row += inside_begin * s.x_pixel;
    if (pitch == channels && s.x_pixel == channels) {
        memcpy(to, row, bytes_of((inside_end - inside_begin) * pitch));
        to += (inside_end - inside_begin) * pitch;
    } else {
        for (int64_t column = inside_begin; column < inside_end; ++column) {
            memcpy(to, row, bytes_of(channels));
            if (pitch > channels) to[channels] = 0;  // times a weight of 0, so it must be finite
            to += pitch;
            row += s.x_pixel;
        }
    }
    memset(to, 0, bytes_of((end - inside_end) * pitch));
}

// Channels [channel, channel + channels) of what the outputs of the chunk see.
static Source source_of(const BconvArgs& a, int64_t channel, int64_t channels) {
    const ConvShape& s = a.shape->conv;
    const uint16_t* image = a.x + a.chunk.image * s.x_image + channel;
    if (!a.plan->staged) return {image, s.x_row, s.x_pixel};

    const InputWindow seen = input_window(s, a.chunk, a.chunk.column_begin, a.chunk.column_end);
    const int64_t pitch = a.plan->pitch;
    const int64_t row = (seen.column_end - seen.column_begin) * pitch;
    uint16_t* to = a.scratch;
    for (int64_t r = seen.row_begin; r < seen.row_end; ++r, to += row)
        stage_row(to, image + r * s.x_row, s, seen.column_begin, seen.column_end, channels, pitch);
    return {a.scratch - seen.row_begin * row - seen.column_begin * pitch, row, pitch};
}

}  // namespace hades::HADES_ISA
