#pragma once
#include "base/macros.h"

namespace hades {

// How many `part`s it takes to hold `whole`; neither is negative.
template <class T, class Part>
HADES_INLINE constexpr T ceil_div(T whole, Part part) {
    return (whole + static_cast<T>(part) - 1) / static_cast<T>(part);
}

// The smallest multiple of `part` that is not below `whole`.
template <class T, class Part>
HADES_INLINE constexpr T round_up(T whole, Part part) {
    return ceil_div(whole, part) * static_cast<T>(part);
}

}  // namespace hades
