#pragma once
// The narrow face that Cython binds.
#include "base/functions.h"
#include "runtime/call.h"
#include "runtime/context.h"
#include "runtime/op_table.h"
#include "runtime/program.h"
#include "runtime/roof.h"
#include "runtime/team.h"
#include "runtime/work_queue.h"
