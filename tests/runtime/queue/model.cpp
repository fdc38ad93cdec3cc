// The queue of csrc/runtime under a search through interleavings (relacy), reorderings of weak
// memory and spurious wake-ups included: two producers, two workers, and one who closes or cancels.
#include <relacy/relacy.hpp>
#undef new
#undef delete

#include "runtime/work_queue.h"

namespace {

struct Model {
    template <class T>
    using Atomic = rl::atomic<T>;
    template <class T>
    using Plain = rl::var<T>;

    struct Deadline {
        explicit Deadline(int) {}
    };
    // As the kernel's futex: it compares and parks in one go.
    struct Lot {
        rl::mutex lock;
        rl::condition_variable sleepers;
    };

    template <class T>
    static T load_relaxed(const Atomic<T>& a) {
        return a.load(rl::mo_relaxed, RL_INFO);
    }
    template <class T>
    static T load_acquire(const Atomic<T>& a) {
        return a.load(rl::mo_acquire, RL_INFO);
    }
    template <class T>
    static T load_seq(const Atomic<T>& a) {
        return a.load(rl::mo_seq_cst, RL_INFO);
    }
    template <class T>
    static void store_relaxed(Atomic<T>& a, T value) {
        a.store(value, rl::mo_relaxed, RL_INFO);
    }
    template <class T>
    static void store_release(Atomic<T>& a, T value) {
        a.store(value, STORE_ORDER, RL_INFO);
    }
    template <class T>
    static bool advance(Atomic<T>& a, T& position) {
        return a.compare_exchange_weak(position, position + 1, rl::mo_relaxed, RL_INFO);
    }
    template <class T>
    static bool exchange(Atomic<T>& a, T* expected, T value) {
        return a.compare_exchange_weak(*expected, value, rl::mo_seq_cst, RL_INFO);
    }
    template <class T>
    static T add(Atomic<T>& a, T value) {
        return a.fetch_add(value, rl::mo_seq_cst, RL_INFO);
    }
    template <class T>
    static void write(Plain<T>& place, T value) {
        place(RL_INFO) = value;
    }
    template <class T>
    static T read(const Plain<T>& place) {
        return place(RL_INFO);
    }
    static void yield() { rl::yield(1, RL_INFO); }

    static bool park(Atomic<uint32_t>& word, Lot& lot, uint32_t value, const Deadline&) {
        lot.lock.lock(RL_INFO);
        if (word.load(rl::mo_seq_cst, RL_INFO) == value) lot.sleepers.wait(lot.lock, RL_INFO);
        lot.lock.unlock(RL_INFO);
        return true;
    }
    static void wake(Atomic<uint32_t>&, Lot& lot, int sleepers) {
        lot.lock.lock(RL_INFO);
        sleepers == 1 ? lot.sleepers.notify_one(RL_INFO) : lot.sleepers.notify_all(RL_INFO);
        lot.lock.unlock(RL_INFO);
    }
};

using hades::QueueResult;
using Queue = hades::BasicWorkQueue<Model>;
constexpr int kDistances[] = {10, 20, 20, 10};
constexpr int kProducers = 2, kWorkers = 2;

// The ring alone: each producer pushes two tickets, each worker takes two, so that it goes round.
struct Passing : rl::test_suite<Passing, kProducers + kWorkers> {
    std::unique_ptr<hades::Ring<uint64_t, Model>> ring;
    int came[2 * kProducers];

    void before() {
        ring = std::make_unique<hades::Ring<uint64_t, Model>>(2);
        std::fill(std::begin(came), std::end(came), 0);
    }
    void thread(unsigned index) {
        uint64_t ticket = 0;
        for (unsigned i = 0; i < 2; ++i) {
            if (index < kProducers) {
                while (!ring->try_push(2 * index + i)) Model::yield();
            } else {
                while (!ring->try_pop(&ticket)) Model::yield();
                ++came[ticket];
            }
        }
    }
    void after() {
        for (const int times : came) RL_ASSERT(times == 1);
    }
};

// Nobody ends it: only what is pushed and taken wakes who waits for it. There is room for one.
struct Waking : rl::test_suite<Waking, kProducers + kWorkers> {
    std::unique_ptr<Queue> queue;

    void before() { queue = std::make_unique<Queue>(1, 1, hades::kMostQueueBytes, kDistances); }
    void thread(unsigned index) {
        uint64_t ticket = 0;
        if (index < kProducers)
            RL_ASSERT(queue->push(index, 0, 0, -1) == QueueResult::done);
        else
            RL_ASSERT(queue->pop(&ticket, 0, -1) == QueueResult::done);
    }
};

// Each producer pushes one ticket to a ring of its own, and the last of them closes.
struct Closing : rl::test_suite<Closing, kProducers + kWorkers> {
    std::unique_ptr<Queue> queue;
    rl::atomic<int> pushed;
    int came[kProducers];

    void before() {
        queue = std::make_unique<Queue>(2, CAPACITY, 0, kDistances);
        pushed.store(0, rl::mo_relaxed, RL_INFO);
        came[0] = came[1] = 0;
    }
    void thread(unsigned index) {
        if (index < kProducers) {
            RL_ASSERT(queue->push(index, 0, static_cast<int>(index), -1) == QueueResult::done);
            if (pushed.fetch_add(1, rl::mo_seq_cst, RL_INFO) + 1 == kProducers) queue->close();
            return;
        }
        uint64_t ticket = 0;
        QueueResult result;
        while ((result = queue->pop(&ticket, static_cast<int>(index % 2), -1)) == QueueResult::done)
            ++came[ticket];
        RL_ASSERT(result == QueueResult::closed);
    }
    void after() {
        RL_ASSERT(came[0] == 1 && came[1] == 1);
        RL_ASSERT(queue->tickets() == 0);
    }
};

// One producer pushes two tickets whose bytes exclude each other, the other one cancels.
struct Cancelling : rl::test_suite<Cancelling, kProducers + kWorkers> {
    std::unique_ptr<Queue> queue;
    int pushed, came;

    void before() {
        queue = std::make_unique<Queue>(1, 2, 10, kDistances);
        pushed = came = 0;
    }
    void thread(unsigned index) {
        uint64_t ticket = 0;
        if (index == 0) {
            for (int i = 0; i < 2; ++i) pushed += queue->push(i, 7, 0, -1) == QueueResult::done;
        } else if (index == 1) {
            queue->cancel();
        } else {
            while (queue->pop(&ticket, 0, -1) == QueueResult::done) {
                ++came;
                queue->give_back(7);
            }
        }
    }
    void after() {
        uint64_t ticket;
        while (queue->drain(&ticket)) {
            ++came;
            queue->give_back(7);
        }
        RL_ASSERT(came == pushed);
        RL_ASSERT(queue->tickets() == 0 && queue->bytes() == 0);
    }
};

template <class Suite>
bool searched(const char* name, rl::scheduler_type_e scheduler, int bound, rl::iteration_t most) {
    rl::test_params how;
    how.search_type = scheduler;
    how.iteration_count = most;
    how.context_bound = static_cast<unsigned>(bound);
    how.execution_depth_limit = 4000;
    const bool is_right = rl::simulate<Suite>(how);
    std::cout << name << ": " << (is_right ? "right" : "WRONG") << ", " << how.stop_iteration
              << " interleavings" << std::endl;
    return is_right;
}

}  // namespace

int main(int count, char** arguments) {
    const int random = count > 1 ? std::atoi(arguments[1]) : 20000;
    const int bound = count > 2 ? std::atoi(arguments[2]) : 0;
    using namespace rl;
    bool is_right = searched<Passing>("passing, at random", sched_random, 0, random);
    is_right &= searched<Waking>("waking, at random", sched_random, 0, random);
    is_right &= searched<Closing>("closing, at random", sched_random, 0, random);
    is_right &= searched<Cancelling>("cancelling, at random", sched_random, 0, random);
    if (bound) {  // everything that so many switches between threads can do
        is_right &= searched<Passing>("passing, all", sched_bound, bound, ~iteration_t(0));
        is_right &= searched<Waking>("waking, all", sched_bound, bound, ~iteration_t(0));
        is_right &= searched<Closing>("closing, all", sched_bound, bound, ~iteration_t(0));
        is_right &= searched<Cancelling>("cancelling, all", sched_bound, bound, ~iteration_t(0));
    }
    return is_right ? 0 : 1;
}
