#pragma once
#include <cstdint>

#include "base/macros.h"

namespace hades::HADES_ISA {

// Six vectors of memory, or fewer, a constant distance apart, from two pointers: left to itself the
// compiler derives 36 addresses per tile, keeps them in memory and reads them back for every
// vector.
template <class Element>
class Strip {
  public:
    __attribute__((always_inline)) Strip(Element* first, int64_t distance)
        : first_(first), fourth_(first + 3 * distance), distance_(distance) {
        keep();
    }
    __attribute__((always_inline)) Element* at(int k) const {
        return k < 3 ? first_ + k * distance_ : fourth_ + (k - 3) * distance_;
    }
    __attribute__((always_inline)) void advance(int64_t elements) {
        first_ += elements;
        fourth_ += elements;
        keep();
    }

  private:
    __attribute__((always_inline)) void keep() { asm("" : "+r"(first_), "+r"(fourth_)); }

    Element* first_;
    Element* fourth_;
    int64_t distance_;
};

}  // namespace hades::HADES_ISA
