#pragma once
#include "base/dtype.h"

namespace hades {

// A row of functions.inc, which says what the columns mean.
struct ElementFunction {
    const char* name;
    int operands;
    int number;
    bool in_programs;
    Domain dtypes;
    bool is_predicate;
    bool is_activation;
};

// The table, ended by a row without a name.
extern const ElementFunction kElementFunctions[];

// nullptr where there is none.
const ElementFunction* find_function(const char* name);
const ElementFunction* find_function(int number);

}  // namespace hades
