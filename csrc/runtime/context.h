#pragma once
#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "runtime/program.h"
#include "runtime/team.h"

namespace hades {

enum class RunResult { done, cancelled, interrupted };

// Asked on the calling thread about every 50 ms; true stops the run.
using Poll = bool (*)();

struct Timing {
    double seconds = 0;
    Cost cost;
};

// What changes between runs of a program: the arena and the bound buffers. A context runs one call
// at a time: callers take turns, which is theirs to arrange.
class Context {
  public:
    Context(std::shared_ptr<const Program> program, std::shared_ptr<Team> team);

    // Binds the buffer of an io slot for the runs to come.
    void bind(int slot, void* buffer);

    // Runs instructions [first, last). Allocates nothing after the first run. With `trace`, leaves
    // the time and the cost of each instruction in timings().
    RunResult run(int first, int last, bool trace, Poll poll);
    void cancel() { cancelled_.store(true); }

    // Per instruction of the last traced run.
    const std::vector<Timing>& timings() const { return timings_; }
    void* arena() const { return arena_.get(); }
    const Program& program() const { return *program_; }

  private:
    using Clock = std::chrono::steady_clock;

    struct Patch {
        size_t operand;
        int64_t offset;
    };
    struct Run;

    static void run_step(void* run, int step, Worker& worker);
    static bool end_step(void* run, int step);
    void note_timing(int instruction, Run& run);
    static void poll(Run& run);

    std::shared_ptr<const Program> program_;
    std::shared_ptr<Team> team_;
    Block arena_;
    std::vector<void*> operands_;               // of all instructions, in order
    std::vector<size_t> first_operand_;         // of each instruction
    std::vector<std::vector<Patch>> io_users_;  // per slot: the operands that a binding changes
    std::vector<Timing> timings_;
    std::atomic<bool> cancelled_{false};
};

}  // namespace hades
