#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/worker.h"
#include "runtime/barrier.h"
#include "runtime/memory.h"

namespace hades {

// A group of workers that run the same job together: the calling thread is worker 0, the others are
// threads of ours, started at the first run. Jobs of several callers queue. The affinity of the
// calling thread is never changed: libraries loaded later would inherit it.
class Team {
  public:
    using Job = void (*)(void* data, Worker& worker);

    explicit Team(int workers);
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    int workers() const { return workers_; }

    // Runs job(data, worker) on every worker and returns when all are done. The job finds
    // `scratch_bytes` of private and `shared_bytes` of common scratch in its worker; they are kept
    // and only grow, so a repeated job allocates nothing. Throws std::bad_alloc, std::system_error.
    void run(Job job, void* data, size_t scratch_bytes, size_t shared_bytes);

  private:
    struct Crew;  // threads and barrier of one process

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
