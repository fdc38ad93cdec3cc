#pragma once
#include <functional>
#include <memory>
#include <string>

#include "runtime/memory.h"

namespace hades {

struct Constant {
    Block data;
    size_t bytes = 0;
};

// Constants in the layout that kernels want, shared by all programs of the process: the same source
// tensor packed to the same layout exists once, for as long as a program holds it.
std::shared_ptr<const Constant> shared_constant(const std::string& key, size_t bytes,
                                                const std::function<void(void*)>& fill);

}  // namespace hades
