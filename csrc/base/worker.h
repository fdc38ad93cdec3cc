#pragma once
#include <atomic>
#include <cstdint>

namespace hades {

class Barrier;

// What an instruction sees of the thread that runs it. Every worker of a team runs every
// instruction; work is shared out in chunks whose boundaries must not depend on `count`, so that
// results are equal for any number of threads. Baseline code only: kernels never see a Worker.
struct Worker {
    int index = 0;
    int count = 1;
    void* scratch = nullptr;  // private to this worker, 64-byte aligned, sized when bound
    void* shared = nullptr;   // the same block for all workers of this run
    Barrier* barrier = nullptr;
    std::atomic<int64_t>* counter = nullptr;  // next chunk of the current phase
};

// Waits for all workers and opens the next phase: what was written before is visible after.
// The executor does this between instructions; an instruction of several phases calls it itself.
void sync(Worker& worker);

// Calls body(i) for each i in [0, n) exactly once over all workers of the current phase. A phase
// has at most one parallel_for.
template <class Body>
inline void parallel_for(Worker& worker, int64_t n, Body&& body) {
    if (worker.count == 1) {
        for (int64_t i = 0; i < n; ++i) body(i);
        return;
    }
    for (;;) {
        const int64_t i = worker.counter->fetch_add(1, std::memory_order_relaxed);
        if (i >= n) return;
        body(i);
    }
}

}  // namespace hades
