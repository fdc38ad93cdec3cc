#include "base/functions.h"

#include <cstring>

namespace hades {
namespace {

// The words of the columns `program`, `predicate` and `activation`.
constexpr bool no = false, yes = true, cheap = true, costly = true;

}  // namespace

const ElementFunction kElementFunctions[] = {
#define HADES_FUNCTION(name, operands, number, program, dtypes, predicate, activation) \
    {#name, operands, number, program, dtypes, predicate, activation},
#include "base/functions.inc"
#undef HADES_FUNCTION
    {nullptr, 0, -1, no, kNone, no, no},
};

const ElementFunction* find_function(const char* name) {
    for (const ElementFunction* f = kElementFunctions; f->name; ++f)
        if (std::strcmp(f->name, name) == 0) return f;
    return nullptr;
}

const ElementFunction* find_function(int number) {
    for (const ElementFunction* f = kElementFunctions; f->name; ++f)
        if (f->number == number) return f;
    return nullptr;
}

}  // namespace hades
