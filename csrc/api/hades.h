#pragma once
// The narrow face that Cython binds.
#include "runtime/op_table.h"
#include "runtime/roof.h"
#include "runtime/team.h"
