#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/event.h"
#include "runtime/ring.h"

namespace hades {

// Tickets and their bytes are counted in one word.
constexpr int kQueueBytesBits = 44;
constexpr int64_t kMostQueueTickets = (int64_t(1) << (64 - kQueueBytesBits)) - 1;
constexpr int64_t kMostQueueBytes = (int64_t(1) << (kQueueBytesBits - 1)) - 1;

enum class QueueResult { done, timeout, closed, cancelled };

// Tickets on their way from producers to workers: a ring per node, from which idle workers of other
// nodes take as well, the nearest ring first. It is bounded by tickets and by bytes that belong to
// them, which are counted until their worker gives them back.
//
// Closed, it takes nothing more and ends once it is empty; cancelled, it ends at once, and what is
// left in it can be taken out by `drain`. Nothing is lost and nothing comes twice.
//
// `Platform` adds to the atomics of a ring what to sleep on; see work_queue.cpp and, for a search
// through all interleavings, tests/runtime/work_queue_model.cpp.
template <class Platform>
class BasicWorkQueue {
  public:
    using Result = QueueResult;

    // At most kMostQueueTickets, and kMostQueueBytes of all tickets or of one.
    // `distances[a * nodes + b]` is how far a worker of node `a` is from ring `b`.
    BasicWorkQueue(int nodes, size_t capacity, int64_t most_bytes, const int* distances)
        : capacity_(static_cast<int64_t>(capacity)), most_bytes_(most_bytes) {
        size_t slots = 2;
        while (slots < capacity) slots *= 2;
        for (int node = 0; node < nodes; ++node) rings_.push_back(std::make_unique<Tickets>(slots));
        order_.resize(static_cast<size_t>(nodes));
        for (int node = 0; node < nodes; ++node) order_[node] = order_of(node, distances);
        Platform::store_relaxed(state_, uint64_t(kOpen));
        Platform::store_relaxed(held_, uint64_t(0));
    }

    // Waits for room, for at most `milliseconds` (below 0: without an end). A single ticket,
    // however many bytes it has, is taken where no bytes are held.
    Result push(uint64_t ticket, int64_t bytes, int node, int milliseconds) {
        const Deadline deadline(milliseconds);
        for (;;) {
            const Watch watch(room_);
            const uint64_t state = Platform::load_seq(state_);
            if (state != kOpen) return state == kClosed ? Result::closed : Result::cancelled;
            if (reserve(bytes)) return publish(ticket, bytes, node);
            if (!watch.wait(deadline)) return Result::timeout;
        }
    }

    // Waits for a ticket, of the ring of `node` first.
    Result pop(uint64_t* ticket, int node, int milliseconds) {
        const Deadline deadline(milliseconds);
        for (;;) {
            const Watch watch(work_);
            if (Platform::load_seq(state_) == kCancelled) return Result::cancelled;
            if (take(ticket, node)) return Result::done;
            // A ticket counts from before it is in its ring until after it has left: one that is
            // just being pushed is waited for.
            if (Platform::load_seq(state_) == kClosed && tickets() == 0) return Result::closed;
            if (!watch.wait(deadline)) return Result::timeout;
        }
    }

    // A worker needs the bytes of its ticket no longer.
    void give_back(int64_t bytes) {
        Platform::add(held_, -static_cast<uint64_t>(bytes));
        room_.notify_all();
    }

    // What is left after `cancel`, once nobody pushes any more.
    bool drain(uint64_t* ticket) { return take(ticket, 0); }

    void close() { end(kClosed); }
    void cancel() { end(kCancelled); }

    int64_t tickets() const { return tickets_of(Platform::load_seq(held_)); }
    int64_t bytes() const { return bytes_of(Platform::load_seq(held_)); }

  private:
    using Tickets = Ring<uint64_t, Platform>;
    using Deadline = typename Platform::Deadline;
    static constexpr uint64_t kOpen = 0, kClosed = 1, kCancelled = 2;

    // Counted as a sleeper while it looks and waits.
    class Watch {
      public:
        explicit Watch(Event<Platform>& event) : event_(event), epoch_(event.prepare()) {}
        ~Watch() { event_.leave(); }
        bool wait(const Deadline& deadline) const { return event_.wait(epoch_, deadline); }

      private:
        Event<Platform>& event_;
        const uint32_t epoch_;
    };

    // One word, so that a ticket and its bytes are counted together or not at all.
    static int64_t tickets_of(uint64_t held) {
        return static_cast<int64_t>(held >> kQueueBytesBits);
    }
    static int64_t bytes_of(uint64_t held) {
        return static_cast<int64_t>(held & ((uint64_t(1) << kQueueBytesBits) - 1));
    }
    static constexpr uint64_t kTicket = uint64_t(1) << kQueueBytesBits;

    std::vector<int> order_of(int node, const int* distances) const {
        const int nodes = static_cast<int>(rings_.size());
        std::vector<int> order;
        for (int ring = 0; ring < nodes; ++ring) {
            const auto is_nearer = [&](int other) {
                const int* row = distances + node * nodes;
                return row[ring] < row[other];
            };
            auto place = order.begin();
            while (place != order.end() && !is_nearer(*place)) ++place;
            order.insert(place, ring);
        }
        return order;
    }

    bool reserve(int64_t bytes) {
        uint64_t held = Platform::load_seq(held_);
        do {
            if (tickets_of(held) >= capacity_) return false;
            if (bytes_of(held) != 0 && bytes_of(held) + bytes > most_bytes_) return false;
        } while (!Platform::exchange(held_, &held, held + kTicket + static_cast<uint64_t>(bytes)));
        return true;
    }

    // There is room in the ring: at most, a slot of it is still being emptied.
    Result publish(uint64_t ticket, int64_t bytes, int node) {
        // Closed meanwhile: it was in time. Cancelled: the ticket stays with its owner.
        if (Platform::load_seq(state_) == kCancelled) {
            Platform::add(held_, -(kTicket + static_cast<uint64_t>(bytes)));
            return Result::cancelled;
        }
        while (!rings_[static_cast<size_t>(node)]->try_push(ticket)) Platform::yield();
        work_.notify_one();
        return Result::done;
    }

    bool take(uint64_t* ticket, int node) {
        for (const int ring : order_[static_cast<size_t>(node)]) {
            if (!rings_[static_cast<size_t>(ring)]->try_pop(ticket)) continue;
            const uint64_t held = Platform::add(held_, -kTicket);
            // The last of a closed queue: the others need not wait any more.
            if (tickets_of(held) == 1 && Platform::load_seq(state_) == kClosed) work_.notify_all();
            room_.notify_one();
            return true;
        }
        return false;
    }

    void end(uint64_t state) {
        uint64_t before = Platform::load_seq(state_);
        while (before < state && !Platform::exchange(state_, &before, state)) {
        }
        room_.notify_all();
        work_.notify_all();
    }

    const int64_t capacity_, most_bytes_;
    std::vector<std::unique_ptr<Tickets>> rings_;
    std::vector<std::vector<int>> order_;  // per node: rings, the nearest first
    typename Platform::template Atomic<uint64_t> state_, held_;
    Event<Platform> room_, work_;
};

// On threads of the system.
class WorkQueue {
  public:
    WorkQueue(int nodes, size_t capacity, int64_t most_bytes, const int* distances);
    ~WorkQueue();
    WorkQueue(const WorkQueue&) = delete;
    WorkQueue& operator=(const WorkQueue&) = delete;

    QueueResult push(uint64_t ticket, int64_t bytes, int node, int milliseconds);
    QueueResult pop(uint64_t* ticket, int node, int milliseconds);
    void give_back(int64_t bytes);
    bool drain(uint64_t* ticket);
    void close();
    void cancel();
    int64_t tickets() const;
    int64_t bytes() const;

  private:
    struct Inside;
    std::unique_ptr<Inside> inside_;
};

}  // namespace hades
