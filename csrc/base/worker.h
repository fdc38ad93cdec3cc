#pragma once
#include <atomic>
#include <cstdint>

namespace hades {

class Turnstile;

// What an instruction sees of the thread that runs it. Any of the workers of a team run it, at
// least one; work is shared out in chunks whose boundaries must not depend on `count` nor on who
// is there, so that results are equal for any number of threads. Baseline code only: kernels never
// see a Worker.
struct Worker {
    int index = 0;
    int count = 1;
    int phases_missed = 0;    // phases of this instruction that were over when it came
    void* scratch = nullptr;  // private to this worker, 64-byte aligned, sized when bound
    void* shared = nullptr;   // the same block for all workers of this run
    Turnstile* turnstile = nullptr;
    std::atomic<int64_t>* counter = nullptr;  // next chunk of the current phase
};

// Ends a phase of an instruction of several: returns once its chunks are done, and what they wrote
// is visible. Between phases workers do nothing that another relies on: whoever comes late passes
// over the phases that are done.
void sync(Worker& worker);

// Calls body(i) for each i in [0, n) exactly once over all workers of the current phase. A phase
// has at most one parallel_for.
template <class Body>
inline void parallel_for(Worker& worker, int64_t n, Body&& body) {
    if (worker.count == 1) {
        for (int64_t i = 0; i < n; ++i) body(i);
        return;
    }
    if (worker.phases_missed > 0) return;
    for (;;) {
        const int64_t i = worker.counter->fetch_add(1, std::memory_order_relaxed);
        if (i >= n) return;
        body(i);
    }
}

}  // namespace hades
