#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/worker.h"
#include "runtime/memory.h"
#include "runtime/seats.h"
#include "runtime/turnstile.h"

namespace hades {

// A job is a sequence of steps, which any of the workers run together.
struct Job {
    void (*run)(void* data, int step, Worker& worker);
    // Called once after each step, while no worker is in any: whether it was the last.
    bool (*end)(void* data, int step);
    void* data;
};

// A group of workers that run the same job together: the calling thread is worker 0, the others are
// threads of ours, started at the first run. Jobs of several callers queue. The calling thread is
// never moved to another CPU: it is not ours, and libraries loaded later would inherit its mask.
class Team {
  public:
    explicit Team(int workers);
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    int workers() const { return workers_; }

    // Runs the job and returns when it is over; no one touches it or its data afterwards. It finds
    // `scratch_bytes` of private and `shared_bytes` of common scratch in its worker; they are kept
    // and only grow, so a repeated job allocates nothing. Throws std::bad_alloc, std::system_error.
    void run(const Job& job, size_t scratch_bytes, size_t shared_bytes);

  private:
    struct Crew;  // threads and turnstile of one process

    static void* thread_main(void* member);
    void start();
    void dismiss();
    void reserve(size_t scratch_bytes, size_t shared_bytes);

    const int workers_;
    std::mutex queue_;
    std::unique_ptr<Crew> crew_;
    uint64_t process_ = 0;  // the process that started the crew, see fork_count() in team.cpp
    std::vector<Block> scratch_;
    Block shared_;
    size_t scratch_bytes_ = 0;
    size_t shared_bytes_ = 0;
};

}  // namespace hades
