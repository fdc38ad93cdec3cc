#pragma once
#include <cstdint>

#include "base/rounding.h"

namespace hades::HADES_ISA {

// Pixels or tiles in parts of as even a size as there is, none larger than `widest`. It is made
// once for many: its divisions take as long as a tile.
struct EvenSplit {
    int64_t size, even, larger;  // `even` parts of `size`, then `larger` of one more

    EvenSplit() = default;
    EvenSplit(int64_t count, int64_t widest) {
        const int64_t parts = ceil_div(count, widest);
        size = parts > 0 ? count / parts : 0;
        larger = parts > 0 ? count % parts : 0;
        even = parts - larger;
    }
};

}  // namespace hades::HADES_ISA
