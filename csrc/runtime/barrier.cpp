#include "runtime/barrier.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

namespace hades {
namespace {

// About 100 microseconds where a pause takes 140 cycles (Skylake and later), less elsewhere.
constexpr int kSpins = 2000;

void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

uint32_t* address(const std::atomic<uint32_t>& word) {
    static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));
    return const_cast<uint32_t*>(reinterpret_cast<const uint32_t*>(&word));
}

}  // namespace

void wait_until_changed(const std::atomic<uint32_t>& word, uint32_t value,
                        std::atomic<int>& parked) {
    for (int spin = 0; spin < kSpins; ++spin) {
        if (word.load(std::memory_order_acquire) != value) return;
        pause();
    }
    // Sequentially consistent on both sides: either the waker sees the sleeper or it sees the
    // change.
    parked.fetch_add(1);
    while (word.load() == value)
        syscall(SYS_futex, address(word), FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
    parked.fetch_sub(1);
}

void wake_all(const std::atomic<uint32_t>& word, const std::atomic<int>& parked) {
    if (parked.load() > 0)
        syscall(SYS_futex, address(word), FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

void Barrier::release() {
    generation_.fetch_add(1);
    wake_all(generation_, parked_);
}

void Barrier::wait_while(uint32_t generation) {
    wait_until_changed(generation_, generation, parked_);
}

}  // namespace hades
