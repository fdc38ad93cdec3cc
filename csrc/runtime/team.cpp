#include "runtime/team.h"

#include <pthread.h>

#include <new>
#include <system_error>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace hades {
namespace {

std::atomic<uint64_t> forks{0};

// Counts the forks between the first process and this one: threads do not survive a fork.
uint64_t fork_count() {
    static const int registered = pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1); });
    (void)registered;
    return forks.load();
}

// Denormals cost up to 150 cycles an operation and carry nothing that a network needs.
class FlushDenormals {
  public:
#if defined(__x86_64__)
    FlushDenormals() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | 0x8040); }
    ~FlushDenormals() { _mm_setcsr(saved_); }

  private:
    unsigned saved_;
#else
    FlushDenormals() {}
    ~FlushDenormals() {}
#endif
};

}  // namespace

struct Team::Crew {
    struct Member {
        Crew* crew;
        Worker worker;
        pthread_t thread;
    };

    explicit Crew(int workers) : seats(workers), members(static_cast<size_t>(workers)) {}

    uint32_t work(Worker& worker);

    Turnstile turnstile;
    Seats seats;
    std::vector<Member> members;
    std::atomic<bool> leaving{false};
    int started = 0;  // threads that exist, besides the caller
    Job job = {};     // to be read inside the turnstile only
};

// Takes part in steps until there is no job. Returns the turn that changes when there is one.
uint32_t Team::Crew::work(Worker& worker) {
    uint32_t turn;
    for (;;) {
        worker.index == 0 ? seats.take(0) : seats.take_apart(worker.index);
        if (!turnstile.enter(&turn)) return turn;
        const int step = turnstile.step();
        worker.phases_missed = turnstile.phase();
        job.run(job.data, step, worker);
        turnstile.end_step([&] { return job.end(job.data, step); });
    }
}

void sync(Worker& worker) {
    if (worker.count == 1) return;
    if (worker.phases_missed > 0)
        --worker.phases_missed;
    else
        worker.turnstile->end_phase();
}

Team::Team(int workers) : workers_(workers), scratch_(static_cast<size_t>(workers)) {}

Team::~Team() { dismiss(); }

void Team::dismiss() {
    if (!crew_) return;
    if (process_ != fork_count()) {
        crew_.release();  // the threads live in the parent; their memory must not be torn down here
        return;
    }
    crew_->leaving = true;
    crew_->turnstile.wake_idle();
    for (int i = 1; i <= crew_->started; ++i) pthread_join(crew_->members[i].thread, nullptr);
    crew_.reset();
}

void* Team::thread_main(void* argument) {
    auto& member = *static_cast<Crew::Member*>(argument);
    Crew& crew = *member.crew;
    FlushDenormals flush;
    for (;;) {
        const uint32_t turn = crew.work(member.worker);
        if (crew.leaving) return nullptr;
        crew.turnstile.wait_while(turn);
    }
}

void Team::start() {
    if (crew_ && process_ == fork_count()) return;
    crew_.release();  // after a fork: see dismiss()
    process_ = fork_count();
    crew_ = std::make_unique<Crew>(workers_);
    for (int i = 0; i < workers_; ++i) {
        Crew::Member& member = crew_->members[i];
        member.crew = crew_.get();
        member.worker.index = i;
        member.worker.count = workers_;
        member.worker.turnstile = &crew_->turnstile;
        member.worker.counter = &crew_->turnstile.counter;
    }
    for (int i = 1; i < workers_; ++i) {
        Crew::Member& member = crew_->members[i];
        const int error = pthread_create(&member.thread, nullptr, thread_main, &member);
        if (error) {
            dismiss();
            throw std::system_error(error, std::generic_category(), "starting a worker thread");
        }
        crew_->started = i;
    }
}

void Team::reserve(size_t scratch_bytes, size_t shared_bytes) {
#if defined(__SANITIZE_ADDRESS__)
    // Exactly what was asked for, so that the sanitizer sees who takes more.
    scratch_bytes_ = shared_bytes_ = 0;
    for (Block& block : scratch_) block = nullptr;
    shared_ = nullptr;
#endif
    if (scratch_bytes > scratch_bytes_) {
        for (Block& block : scratch_) block = allocate_block(scratch_bytes);
        scratch_bytes_ = scratch_bytes;
    }
    if (shared_bytes > shared_bytes_) {
        shared_ = allocate_block(shared_bytes);
        shared_bytes_ = shared_bytes;
    }
    for (int i = 0; i < workers_; ++i) {
        crew_->members[i].worker.scratch = scratch_[i].get();
        crew_->members[i].worker.shared = shared_.get();
    }
}

void Team::run(const Job& job, size_t scratch_bytes, size_t shared_bytes) {
    // A fork may have copied a locked mutex; the child has one thread, so a new one is right.
    if (crew_ && process_ != fork_count()) new (&queue_) std::mutex;
    const std::lock_guard<std::mutex> turn(queue_);
    start();
    reserve(scratch_bytes, shared_bytes);
    const FlushDenormals flush;
    Worker& own = crew_->members[0].worker;
    if (workers_ == 1) {
        int step = 0;
        do job.run(job.data, step, own);
        while (!job.end(job.data, step++));
        return;
    }
    crew_->job = job;
    crew_->seats.take(0);
    crew_->turnstile.open();
    crew_->work(own);
}

}  // namespace hades
