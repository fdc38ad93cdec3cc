#pragma once
#include <atomic>
#include <cstddef>
#include <vector>

namespace hades {

// Keeps the workers of a team on CPUs of their own. Where another process is busy on one of two
// CPUs, two workers on the other one are a balance that the kernel leaves alone: it counts threads,
// and does not know that these two wait for each other.
class Seats {
  public:
    explicit Seats(int workers);

    // Notes where the calling thread runs.
    void take(int worker) {
        std::atomic<int>& cpu = cpus_[static_cast<size_t>(worker)];
        const int here = current_cpu();
        if (cpu.load(std::memory_order_relaxed) != here)  // or the line would move about
            cpu.store(here, std::memory_order_relaxed);
    }

    // The same for a thread of ours; moves it where a worker before it sits on the same CPU.
    void take_apart(int worker) {
        take(worker);
        if (is_shared(worker)) move(worker);
    }

  private:
    static int current_cpu();
    bool is_shared(int worker) const {
        const int here = cpu_of(worker);
        for (int other = 0; other < worker; ++other)
            if (cpu_of(other) == here) return true;
        return false;
    }
    void move(int worker);
    int cpu_of(int worker) const {
        return cpus_[static_cast<size_t>(worker)].load(std::memory_order_relaxed);
    }

    std::vector<std::atomic<int>> cpus_;
};

}  // namespace hades
