#include "runtime/work_queue.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ctime>

namespace hades {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

struct System {
    template <class T>
    using Atomic = std::atomic<T>;
    template <class T>
    using Plain = T;
    struct Lot {};

    class Deadline {
      public:
        explicit Deadline(int milliseconds)
            : has_end_(milliseconds >= 0),
              end_(Clock::now() + std::chrono::milliseconds(has_end_ ? milliseconds : 0)) {}

        // What is left, with seconds below 0 where nothing is; null without an end.
        const timespec* left(timespec* result) const {
            if (!has_end_) return nullptr;
            const auto left = std::chrono::nanoseconds(end_ - Clock::now()).count();
            result->tv_sec = left <= 0 ? -1 : left / 1000000000;
            result->tv_nsec = left <= 0 ? 0 : left % 1000000000;
            return result;
        }

      private:
        bool has_end_;
        Clock::time_point end_;
    };

    template <class T>
    static T load_relaxed(const Atomic<T>& a) {
        return a.load(std::memory_order_relaxed);
    }
    template <class T>
    static T load_acquire(const Atomic<T>& a) {
        return a.load(std::memory_order_acquire);
    }
    template <class T>
    static T load_seq(const Atomic<T>& a) {
        return a.load();
    }
    template <class T>
    static void store_relaxed(Atomic<T>& a, T value) {
        a.store(value, std::memory_order_relaxed);
    }
    template <class T>
    static void store_release(Atomic<T>& a, T value) {
        a.store(value, std::memory_order_release);
    }
    // From `position` to the next; else `position` is where it stands.
    template <class T>
    static bool advance(Atomic<T>& a, T& position) {
        return a.compare_exchange_weak(position, position + 1, std::memory_order_relaxed);
    }
    template <class T>
    static bool exchange(Atomic<T>& a, T* expected, T value) {
        return a.compare_exchange_weak(*expected, value);
    }
    // What it was before.
    template <class T>
    static T add(Atomic<T>& a, T value) {
        return a.fetch_add(value);
    }
    template <class T>
    static void write(Plain<T>& place, T value) {
        place = value;
    }
    template <class T>
    static T read(const Plain<T>& place) {
        return place;
    }
    static void yield() { sched_yield(); }

    // False: the deadline has passed.
    static bool park(Atomic<uint32_t>& word, Lot&, uint32_t value, const Deadline& deadline) {
        timespec left;
        const timespec* limit = deadline.left(&left);
        if (limit && limit->tv_sec < 0) return false;
        futex(word, FUTEX_WAIT_PRIVATE, value, limit);
        return true;
    }
    static void wake(Atomic<uint32_t>& word, Lot&, int sleepers) {
        futex(word, FUTEX_WAKE_PRIVATE, static_cast<uint32_t>(sleepers), nullptr);
    }

  private:
    static void futex(Atomic<uint32_t>& word, int what, uint32_t value, const timespec* limit) {
        static_assert(sizeof word == sizeof(uint32_t));
        syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), what, value, limit, nullptr, 0);
    }
};

struct WorkQueue::Inside {
    BasicWorkQueue<System> queue;
};

WorkQueue::WorkQueue(int nodes, size_t capacity, int64_t most_bytes, const int* distances)
    : inside_(new Inside{{nodes, capacity, most_bytes, distances}}) {}
WorkQueue::~WorkQueue() = default;

QueueResult WorkQueue::push(uint64_t ticket, int64_t bytes, int node, int milliseconds) {
    return inside_->queue.push(ticket, bytes, node, milliseconds);
}
QueueResult WorkQueue::pop(uint64_t* ticket, int node, int milliseconds) {
    return inside_->queue.pop(ticket, node, milliseconds);
}
void WorkQueue::give_back(int64_t bytes) { inside_->queue.give_back(bytes); }
bool WorkQueue::drain(uint64_t* ticket) { return inside_->queue.drain(ticket); }
void WorkQueue::close() { inside_->queue.close(); }
void WorkQueue::cancel() { inside_->queue.cancel(); }
int64_t WorkQueue::tickets() const { return inside_->queue.tickets(); }
int64_t WorkQueue::bytes() const { return inside_->queue.bytes(); }

}  // namespace hades
