#pragma once
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/map_functions.h"

// y = program(x...) block by block. Inputs that are contiguous along the run are read in place, and
// the last step writes to the output in place; what else there is lives in scratch registers of
// kMapBlock floats. A step costs one switch per block, about 1 % of a block of the cheapest
// function.
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

HADES_INLINE void run_step(const MapStep& step, const Source* s, float* y, int64_t n) {
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

// Input k of the block as a register: in place, one repeated element, or gathered into scratch.
HADES_INLINE Source load_input(const MapArgs& a, int k, const Block& block) {
    const int64_t stride = inner_stride(*a.nest, k);
    const float* data = a.inputs[k] + block.offsets[k] + block.i * stride;
    if (stride == 1) return {data, -1};
    float* copy = a.scratch + k * kMapBlock;
    if (stride == 0) {
        for (int lane = 0; lane < kSplat; ++lane) copy[lane] = *data;
        return {copy, 0};
    }
    for (int64_t i = 0; i < block.n; ++i) copy[i] = data[i * stride];
    return {copy, -1};
}

HADES_INLINE Source resolve(const MapArgs& a, const Source* registers, int32_t index) {
    if (index < 0) return {a.constants + (-1 - index) * kSplat, 0};
    return registers[index];
}

HADES_INLINE void run_block(const MapArgs& a, const Block& block) {
    Source registers[kMapMaxRegisters];
    for (int k = 0; k < a.input_count; ++k) registers[k] = load_input(a, k, block);
    const int64_t stride = inner_stride(*a.nest, a.input_count);
    float* output = a.output + block.offsets[a.input_count] + block.i * stride;
    for (int s = 0; s < a.step_count; ++s) {
        const MapStep& step = a.steps[s];
        float* y = a.scratch + step.destination * kMapBlock;
        if (s == a.step_count - 1 && stride == 1) y = output;
        const Source sources[3] = {resolve(a, registers, step.a), resolve(a, registers, step.b),
                                   resolve(a, registers, step.c)};
        run_step(step, sources, y, block.n);
        registers[step.destination] = {y, -1};
    }
    if (stride == 1) return;
    const float* result = registers[a.steps[a.step_count - 1].destination].data;
    for (int64_t i = 0; i < block.n; ++i) output[i * stride] = result[i];
}

void map_f32(const MapArgs& a) {
    for_each_run(*a.nest, a.begin, a.end, [&](const int64_t* offsets, int64_t run) {
        for (int64_t i = 0; i < run; i += kMapBlock)
            run_block(a, {offsets, i, run - i < kMapBlock ? run - i : kMapBlock});
    });
}

}  // namespace hades::HADES_ISA
