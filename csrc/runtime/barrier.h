#pragma once
#include <atomic>
#include <cstdint>

namespace hades {

// Meeting point of the workers of a team: spins for about as long as an instruction lasts, then
// parks in the kernel, so that an oversubscribed machine gives the core to whoever has work.
class Barrier {
  public:
    explicit Barrier(int count) : count_(count) {}

    // Returns once all have arrived. `last` runs on the last to arrive, before anyone leaves.
    template <class Last>
    void wait(Last&& last) {
        const uint32_t generation = generation_.load(std::memory_order_acquire);
        if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count_) {
            last();
            arrived_.store(0, std::memory_order_relaxed);
            release();
        } else {
            wait_while(generation);
        }
    }

  private:
    void release();
    void wait_while(uint32_t generation);

    const int count_;
    alignas(64) std::atomic<int> arrived_{0};
    alignas(64) std::atomic<uint32_t> generation_{0};
    alignas(64) std::atomic<int> parked_{0};
};

// Waits until `word` differs from `value`: spins first, then parks. `parked` counts sleepers so
// that the waker can save itself the system call.
void wait_until_changed(const std::atomic<uint32_t>& word, uint32_t value,
                        std::atomic<int>& parked);
void wake_all(const std::atomic<uint32_t>& word, const std::atomic<int>& parked);

}  // namespace hades
