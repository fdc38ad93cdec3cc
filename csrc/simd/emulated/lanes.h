#pragma once
#include <cstdint>
#include <cstring>

#include "base/macros.h"

// Vectors as arrays of their elements, for instructions that are emulated one lane at a time.
namespace hades::HADES_ISA::emulated {

template <class Element, int count>
struct Lanes {
    Element v[count];
};

template <class Element, class Vector>
HADES_INLINE Lanes<Element, sizeof(Vector) / sizeof(Element)> lanes_of(Vector vector) {
    Lanes<Element, sizeof(Vector) / sizeof(Element)> lanes;
    memcpy(&lanes, &vector, sizeof lanes);
    return lanes;
}

template <class Vector, class Element, int count>
HADES_INLINE Vector vector_of(const Lanes<Element, count>& lanes) {
    static_assert(sizeof(Vector) == sizeof lanes);
    Vector vector;
    memcpy(&vector, &lanes, sizeof vector);
    return vector;
}

// What an instruction does to each lane: Result of every Element.
template <class Result, class To, class Element, class Vector, class Function>
HADES_INLINE Result per_element(Vector vector, Function function) {
    const auto from = lanes_of<Element>(vector);
    Lanes<To, sizeof(Vector) / sizeof(Element)> to;
    for (size_t i = 0; i < sizeof(Vector) / sizeof(Element); ++i) to.v[i] = function(from.v[i]);
    return vector_of<Result>(to);
}

// Memory is touched where the mask has a bit and nowhere else: tests put guard pages beside it.
template <class Vector, class Element>
HADES_INLINE Vector load_masked(uint64_t mask, const void* memory) {
    constexpr int kCount = sizeof(Vector) / sizeof(Element);
    Lanes<Element, kCount> lanes = {};
    for (int i = 0; i < kCount; ++i)
        if (mask >> i & 1)
            memcpy(&lanes.v[i], static_cast<const Element*>(memory) + i, sizeof(Element));
    return vector_of<Vector>(lanes);
}

template <class Element, class Vector>
HADES_INLINE void store_masked(void* memory, uint64_t mask, Vector vector) {
    constexpr int kCount = sizeof(Vector) / sizeof(Element);
    const auto lanes = lanes_of<Element>(vector);
    for (int i = 0; i < kCount; ++i)
        if (mask >> i & 1) memcpy(static_cast<Element*>(memory) + i, &lanes.v[i], sizeof(Element));
}

}  // namespace hades::HADES_ISA::emulated
