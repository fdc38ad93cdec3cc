#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace hades {

// A bounded queue of many producers and many consumers without a mutex (after Dmitry Vyukov). Every
// slot has a number that says whose turn it is: `position` when it may be filled in this round,
// `position + 1` when it may be emptied. Whoever moves a counter on owns the slot until it writes
// the number. There are no fences, which ThreadSanitizer does not model.
//
// A thread that stops between claim and publication holds up that slot, so "empty" and "full" may
// be said of a ring that is neither: who needs certainty counts apart, see work_queue.h.
//
// `Atomics` says what an atomic is, so that a model checker can take the place of the machine.
template <class T, class Atomics>
class Ring {
    using Size = typename Atomics::template Atomic<uint64_t>;

  public:
    // `capacity` is a power of two, 2 or more.
    explicit Ring(size_t capacity) : slots_(capacity), mask_(capacity - 1) {
        for (size_t i = 0; i < capacity; ++i) Atomics::store_relaxed(slots_[i].turn, uint64_t(i));
        Atomics::store_relaxed(head_.value, uint64_t(0));
        Atomics::store_relaxed(tail_.value, uint64_t(0));
    }

    bool try_push(T item) {
        uint64_t position = Atomics::load_relaxed(tail_.value);
        for (;;) {
            Slot& slot = slots_[position & mask_];
            const auto ahead = static_cast<int64_t>(Atomics::load_acquire(slot.turn) - position);
            if (ahead < 0) return false;  // full, or being emptied
            if (ahead > 0)
                position = Atomics::load_relaxed(tail_.value);
            else if (Atomics::advance(tail_.value, position)) {
                Atomics::write(slot.item, item);
                Atomics::store_release(slot.turn, position + 1);
                return true;
            }
        }
    }

    bool try_pop(T* item) {
        uint64_t position = Atomics::load_relaxed(head_.value);
        for (;;) {
            Slot& slot = slots_[position & mask_];
            const auto ahead =
                static_cast<int64_t>(Atomics::load_acquire(slot.turn) - (position + 1));
            if (ahead < 0) return false;  // empty, or being filled
            if (ahead > 0)
                position = Atomics::load_relaxed(head_.value);
            else if (Atomics::advance(head_.value, position)) {
                *item = Atomics::read(slot.item);
                Atomics::store_release(slot.turn, position + mask_ + 1);
                return true;
            }
        }
    }

  private:
    struct alignas(64) Slot {
        Size turn;
        typename Atomics::template Plain<T> item;
    };
    struct alignas(64) Counter {
        Size value;
    };

    std::vector<Slot> slots_;
    const uint64_t mask_;
    Counter head_, tail_;
};

}  // namespace hades
