#pragma once
#include <climits>
#include <cstdint>

namespace hades {

// Something that threads sleep on until it may have changed. A sleeper is counted before it looks
// at what it waits for, and whoever changes that looks at the count afterwards, all sequentially
// consistent: one of the two sees the other. A change is an epoch, on whose number sleepers park.
//
//     const auto epoch = event.prepare();
//     is_there = look();
//     if (!is_there) event.wait(epoch, deadline);
//     event.leave();
template <class Platform>
class Event {
  public:
    Event() {
        Platform::store_relaxed(epoch_, uint32_t(0));
        Platform::store_relaxed(sleepers_, uint32_t(0));
    }

    uint32_t prepare() {
        Platform::add(sleepers_, uint32_t(1));
        return Platform::load_seq(epoch_);
    }
    void leave() { Platform::add(sleepers_, ~uint32_t(0)); }

    // Until the epoch is another. False: the deadline has passed.
    bool wait(uint32_t epoch, const typename Platform::Deadline& deadline) {
        return Platform::park(epoch_, lot_, epoch, deadline);
    }

    void notify_one() { notify(1); }
    void notify_all() { notify(INT_MAX); }

  private:
    void notify(int sleepers) {
        Platform::add(epoch_, uint32_t(1));
        if (Platform::load_seq(sleepers_) != 0) Platform::wake(epoch_, lot_, sleepers);
    }

    typename Platform::template Atomic<uint32_t> epoch_, sleepers_;
    typename Platform::Lot lot_;  // nothing on a real machine, where the kernel has it
};

}  // namespace hades
