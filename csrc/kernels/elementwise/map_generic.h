#pragma once
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/map_functions.h"
#include "simd/points.h"

// y = program(x...) block by block. Inputs that are contiguous along the run are read in place, and
// the last step writes to the output in place; what else there is lives in scratch registers of
// kMapBlock floats. A step costs one switch per block, about 1 % of a block of the cheapest
// function. Runs that are shorter than half a block are put side by side first. Bytes become floats
// in a scratch register, and results become the nearest bytes from one.
namespace hades::HADES_ISA {

// A register to read: the address of element i is data + (i & mask), so that a constant is a
// register of kSplat elements with mask 0 and loops need no second version.
struct Source {
    const float* data;
    int64_t mask;
};

HADES_INLINE F32 read(Source s, int64_t i) { return load(s.data + (i & s.mask)); }
HADES_INLINE F32 read_n(Source s, int64_t i, int n) {
    return s.mask ? load_n(s.data + i, n) : load(s.data);
}

template <class Function, class... Sources>
HADES_INLINE void evaluate(Function function, float* y, int64_t n, Sources... sources) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) store(y + i, function(read(sources, i)...));
    const int left = static_cast<int>(n - i);
    if (left > 0) store_n(y + i, function(read_n(sources, i, left)...), left);
}

// A call, so that the functions are compiled once.
static __attribute__((noinline)) void run_step(const MapStep& step, const Source* s, float* y,
                                               int64_t n) {
    switch (step.function) {
#define HADES_SOURCES_1 s[0]
#define HADES_SOURCES_2 s[0], s[1]
#define HADES_SOURCES_3 s[0], s[1], s[2]
#define HADES_FUNCTION(name, operands, number, program, dtypes, predicate, activation)       \
    HADES_IF_##program(                                                                      \
        case number : return evaluate([](auto... x) { return functions::name(x...); }, y, n, \
                                      HADES_SOURCES_##operands);)
#include "base/functions.inc"
#undef HADES_FUNCTION
#undef HADES_SOURCES_1
#undef HADES_SOURCES_2
#undef HADES_SOURCES_3
    }
}

// The operands of one block, elements [i, i + n) of a run.
struct Block {
    const int64_t* offsets;
    int64_t i, n;
};

HADES_INLINE bool holds_bytes(const MapArgs& a, int operand) { return a.bytes >> operand & 1; }

// Elements `step` apart as contiguous floats, and back; the grid is that of bytes.
HADES_INLINE void read_row(const float* x, int64_t step, MapGrid, float* y, int64_t n) {
    int64_t i = 0;
    if (step == 1)
        for (; i + kLanes <= n; i += kLanes) store(y + i, load(x + i));
    for (; i < n; ++i) y[i] = x[i * step];
}
HADES_INLINE void read_row(const uint8_t* x, int64_t step, MapGrid grid, float* y, int64_t n) {
    const F32 scale = set1(grid.scale), zero_point = set1(grid.zero);
    int64_t i = 0;
    if (step == 1)
        for (; i + kLanes <= n; i += kLanes) store(y + i, (load_u8(x + i) - zero_point) * scale);
    for (; i < n; ++i) y[i] = (static_cast<float>(x[i * step]) - grid.zero) * grid.scale;
}
HADES_INLINE void write_row(const float* x, MapGrid, float* y, int64_t step, int64_t n) {
    int64_t i = 0;
    if (step == 1)
        for (; i + kLanes <= n; i += kLanes) store(y + i, load(x + i));
    for (; i < n; ++i) y[i * step] = x[i];
}
HADES_INLINE void write_row(const float* x, MapGrid grid, uint8_t* y, int64_t step, int64_t n) {
    const auto point = [&](F32 v) {
        if (grid.scale != 1.0f) v = v / set1(grid.scale);
        return nearest_point(v, grid.zero);
    };
    int64_t i = 0;
    if (step == 1)
        for (; i + kLanes <= n; i += kLanes) store_u8(y + i, point(load(x + i)));
    for (; i < n; ++i) store_u8_n(y + i * step, point(load_n(x + i, 1)), 1);
}

// Elements of a run as a register: one repeated element, or gathered into scratch.
template <class T>
HADES_INLINE Source gather_input(const T* data, int64_t stride, MapGrid grid, float* copy,
                                 int64_t n) {
    read_row(data, stride, grid, copy, stride == 0 ? int64_t{1} : n);
    if (stride != 0) return {copy, -1};
    for (int lane = 1; lane < kSplat; ++lane) copy[lane] = copy[0];
    return {copy, 0};
}

// Input k of the block as a register: in place where that is possible.
HADES_INLINE Source load_input(const MapArgs& a, int k, const Block& block) {
    const int64_t stride = inner_stride(*a.nest, k);
    const int64_t at = block.offsets[k] + block.i * stride;
    float* copy = a.scratch + k * kMapBlock;
    if (holds_bytes(a, k))
        return gather_input(static_cast<const uint8_t*>(a.inputs[k]) + at, stride, a.grids[k], copy,
                            block.n);
    const float* data = static_cast<const float*>(a.inputs[k]) + at;
    if (stride == 1) return {data, -1};
    return gather_input(data, stride, a.grids[k], copy, block.n);
}

HADES_INLINE Source resolve(const MapArgs& a, const Source* registers, int32_t index) {
    if (index < 0) return {a.constants + (-1 - index) * kSplat, 0};
    return registers[index];
}

// All steps over n elements; the last writes to `output` if there is one. Where the result is.
HADES_INLINE const float* run_steps(const MapArgs& a, Source* registers, float* output, int64_t n) {
    const float* result = output;
    for (int s = 0; s < a.step_count; ++s) {
        const MapStep& step = a.steps[s];
        float* y = a.scratch + step.destination * kMapBlock;
        if (s == a.step_count - 1 && output) y = output;
        const Source sources[3] = {resolve(a, registers, step.a), resolve(a, registers, step.b),
                                   resolve(a, registers, step.c)};
        run_step(step, sources, y, n);
        registers[step.destination] = {y, -1};
        result = y;
    }
    return result;
}

HADES_INLINE void run_block(const MapArgs& a, const Block& block) {
    Source registers[kMapMaxRegisters];
    for (int k = 0; k < a.input_count; ++k) registers[k] = load_input(a, k, block);
    const int64_t stride = inner_stride(*a.nest, a.input_count);
    const int64_t at = block.offsets[a.input_count] + block.i * stride;
    if (holds_bytes(a, a.input_count)) {
        const float* result = run_steps(a, registers, nullptr, block.n);
        write_row(result, a.grids[a.input_count], static_cast<uint8_t*>(a.output) + at, stride,
                  block.n);
        return;
    }
    float* output = static_cast<float*>(a.output) + at;
    const float* result = run_steps(a, registers, stride == 1 ? output : nullptr, block.n);
    if (stride != 1) write_row(result, a.grids[a.input_count], output, stride, block.n);
}

HADES_INLINE void map_runs(const MapArgs& a, int64_t begin, int64_t end) {
    for_each_run(*a.nest, begin, end, [&](const int64_t* offsets, int64_t run) {
        for (int64_t i = 0; i < run; i += kMapBlock)
            run_block(a, {offsets, i, run - i < kMapBlock ? run - i : kMapBlock});
    });
}

// Rows of `columns` elements, `row` and `column` apart.
struct Rows {
    int64_t count, columns, row, column;
};

// Rows side by side in scratch, and back.
template <class T>
HADES_INLINE Source pack_rows(const T* data, const Rows& r, MapGrid grid, float* scratch) {
    for (int64_t i = 0; i < r.count; ++i)
        read_row(data + i * r.row, r.column, grid, scratch + i * r.columns, r.columns);
    return {scratch, -1};
}

template <class T>
HADES_INLINE void unpack_rows(const float* packed, const Rows& r, MapGrid grid, T* data) {
    for (int64_t i = 0; i < r.count; ++i)
        write_row(packed + i * r.columns, grid, data + i * r.row, r.column, r.columns);
}

HADES_INLINE bool is_contiguous(const Rows& r) { return r.column == 1 && r.row == r.columns; }
HADES_INLINE Rows joined(const Rows& r) { return {1, r.count * r.columns, 0, 1}; }

// Rows of input k from element `at` as one register: in place where they are contiguous floats.
HADES_INLINE Source load_rows(const MapArgs& a, int k, int64_t at, const Rows& r) {
    float* scratch = a.scratch + k * kMapBlock;
    if (holds_bytes(a, k)) {
        const auto* data = static_cast<const uint8_t*>(a.inputs[k]) + at;
        return pack_rows(data, is_contiguous(r) ? joined(r) : r, a.grids[k], scratch);
    }
    const float* data = static_cast<const float*>(a.inputs[k]) + at;
    if (is_contiguous(r)) return {data, -1};
    return pack_rows(data, r, a.grids[k], scratch);
}

// `rows` rows from there on; what repeats from row to row is packed once.
HADES_INLINE void map_rows(const MapArgs& a, const int64_t* offsets, int64_t rows) {
    const int last = a.nest->rank - 1, out = a.input_count;
    const int64_t columns = a.nest->extents[last];
    const int64_t step = kMapBlock / columns;
    Source registers[kMapMaxRegisters];
    for (int64_t first = 0; first < rows; first += step) {
        const int64_t count = rows - first < step ? rows - first : step;
        const auto rows_of = [&](int o) {
            return Rows{count, columns, a.nest->strides[o][last - 1], a.nest->strides[o][last]};
        };
        for (int k = 0; k < out; ++k) {
            const Rows r = rows_of(k);
            if (first > 0 && r.row == 0) continue;
            registers[k] = load_rows(a, k, offsets[k] + first * r.row, r);
        }
        const Rows r = rows_of(out);
        const int64_t at = offsets[out] + first * r.row;
        if (holds_bytes(a, out)) {
            const float* result = run_steps(a, registers, nullptr, count * columns);
            unpack_rows(result, is_contiguous(r) ? joined(r) : r, a.grids[out],
                        static_cast<uint8_t*>(a.output) + at);
            continue;
        }
        float* output = static_cast<float*>(a.output) + at;
        const bool in_place = is_contiguous(r);
        const float* result = run_steps(a, registers, in_place ? output : nullptr, count * columns);
        if (!in_place) unpack_rows(result, r, a.grids[out], output);
    }
}

void map_f32(const MapArgs& a) {
    const int64_t columns = a.nest->extents[a.nest->rank - 1];
    if (a.nest->rank == 1 || columns > kMapBlock / 2) return map_runs(a, a.begin, a.end);
    // What is cut at either end of the chunk, and the whole rows between.
    const int64_t first = (a.begin + columns - 1) / columns, last = a.end / columns;
    if (first >= last) return map_runs(a, a.begin, a.end);
    map_runs(a, a.begin, first * columns);
    LoopNest rows = *a.nest;
    --rows.rank;
    for_each_run(rows, first, last,
                 [&](const int64_t* offsets, int64_t run) { map_rows(a, offsets, run); });
    map_runs(a, last * columns, a.end);
}

}  // namespace hades::HADES_ISA
