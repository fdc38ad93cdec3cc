#include "runtime/seats.h"

#include <sched.h>

namespace hades {

Seats::Seats(int workers) : cpus_(static_cast<size_t>(workers)) {
    for (std::atomic<int>& cpu : cpus_) cpu.store(-1, std::memory_order_relaxed);
}

int Seats::current_cpu() { return sched_getcpu(); }

// Through a mask without the CPUs of the others, which moves the thread at once, and back to the
// mask that it had. Machines of more CPUs than a cpu_set_t holds fail here and are left alone.
void Seats::move(int worker) {
    cpu_set_t allowed, vacant;
    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
    vacant = allowed;
    for (int other = 0; other < static_cast<int>(cpus_.size()); ++other) {
        const int cpu = cpu_of(other);
        if (other != worker && cpu >= 0 && cpu < CPU_SETSIZE) CPU_CLR(cpu, &vacant);
    }
    if (CPU_COUNT(&vacant) == 0 || sched_setaffinity(0, sizeof(vacant), &vacant) != 0) return;
    sched_setaffinity(0, sizeof(allowed), &allowed);
    take(worker);
}

}  // namespace hades
