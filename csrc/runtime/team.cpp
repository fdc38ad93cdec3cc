#include "runtime/team.h"

#include <cstdlib>

namespace hades {

void sync(Worker&) {}

namespace {
void* allocate(size_t bytes) {
    return bytes ? std::aligned_alloc(64, (bytes + 63) / 64 * 64) : nullptr;
}
}  // namespace

void run_serial(const BoundOp& bound, void* const* operands) {
    Worker worker;
    worker.scratch = allocate(bound.worker_scratch_bytes);
    worker.shared = allocate(bound.shared_scratch_bytes);
    bound.run(bound.params.get(), operands, worker);
    std::free(worker.scratch);
    std::free(worker.shared);
}

}  // namespace hades
