#include "runtime/turnstile.h"

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

// The half of the word that is the turn.
uint32_t* turn_of(const std::atomic<uint64_t>& word) {
    static_assert(sizeof(std::atomic<uint64_t>) == sizeof(uint64_t));
    static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
    return const_cast<uint32_t*>(reinterpret_cast<const uint32_t*>(&word));
}

}  // namespace

void Turnstile::open() {
    publish(static_cast<uint32_t>(word_.load(std::memory_order_relaxed)) + 1, kOpen);
}

void Turnstile::wake_idle() {
    publish(static_cast<uint32_t>(word_.load(std::memory_order_relaxed)) + 1, kOver);
}

bool Turnstile::enter(uint32_t* turn) {
    uint64_t word = word_.load(std::memory_order_acquire);
    for (;;) {
        *turn = static_cast<uint32_t>(word);
        if (word & kOver) return false;
        if (!(word & kOpen)) {  // the last to arrive is about to publish what comes next
            wait_while(*turn);
            word = word_.load(std::memory_order_acquire);
        } else if (word_.compare_exchange_weak(word, word + kEntered, std::memory_order_acq_rel,
                                               std::memory_order_acquire)) {
            return true;
        }
    }
}

// Whether everybody inside has arrived; then the turnstile is shut until something is published.
bool Turnstile::arrive(uint32_t* turn) {
    uint64_t word = word_.load(std::memory_order_relaxed);
    for (;;) {
        const uint64_t entered = word / kEntered & kMostWorkers;
        const bool is_last = (word / kArrived & kMostWorkers) + 1 == entered;
        const uint64_t next = word + kArrived - (is_last ? kOpen : 0);
        if (word_.compare_exchange_weak(word, next, std::memory_order_acq_rel,
                                        std::memory_order_relaxed)) {
            *turn = static_cast<uint32_t>(word);
            return is_last;
        }
    }
}

void Turnstile::end_phase() {
    uint32_t turn;
    if (!arrive(&turn)) return wait_while(turn);
    ++phase_;
    const uint64_t inside = word_.load(std::memory_order_relaxed) & (kArrived - kEntered);
    publish(turn + 1, kOpen | inside);
}

// Sequentially consistent, like the sleepers' side: either the waker sees the sleeper or it sees
// the change.
void Turnstile::publish(uint32_t turn, uint64_t state) {
    counter.store(0, std::memory_order_relaxed);
    word_.store(state | turn);
    if (parked_.load() > 0)
        syscall(SYS_futex, turn_of(word_), FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

void Turnstile::wait_while(uint32_t turn) {
    for (int spin = 0; spin < kSpins; ++spin) {
        if (static_cast<uint32_t>(word_.load(std::memory_order_acquire)) != turn) return;
        pause();
    }
    parked_.fetch_add(1);
    while (static_cast<uint32_t>(word_.load()) == turn)
        syscall(SYS_futex, turn_of(word_), FUTEX_WAIT_PRIVATE, turn, nullptr, nullptr, 0);
    parked_.fetch_sub(1);
}

}  // namespace hades
