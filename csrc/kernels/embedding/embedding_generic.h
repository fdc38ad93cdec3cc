#pragma once
#include "base/float16.h"
#include "formats/weight_format.h"
#include "kernels/embedding/embedding.h"
#include "simd/narrow.h"

namespace hades::HADES_ISA {

void embed_bf16(const EmbedArgs& a) {
    const auto* values = static_cast<const uint16_t*>(a.values);
    int64_t i = 0;
    for (; i + kLanes <= a.columns; i += kLanes) store(a.y + i, load_bf16(values + i));
    for (; i < a.columns; ++i) a.y[i] = to_float(BFloat16{values[i]});
}

void embed_int8(const EmbedArgs& a) {
    const auto* values = static_cast<const int8_t*>(a.values);
    for (int64_t i = 0; i < a.columns; i += kLanes) {
        const F32 scale = set1(to_float(Float16{a.scales[i / kBlock]}));
        store(a.y + i, load_i8(values + i) * scale);
    }
}

}  // namespace hades::HADES_ISA
