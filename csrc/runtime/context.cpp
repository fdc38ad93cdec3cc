#include "runtime/context.h"

#include <utility>

namespace hades {
namespace {

constexpr std::chrono::milliseconds kPollInterval(50);

// Constants are only ever inputs; operand lists have one type for inputs and outputs.
void* constant_of(const Slot& slot) {
    const bool is_resident = slot.source_kind == Source::resident;
    return is_resident ? const_cast<void*>(slot.source) : slot.content->data.get();
}

void* content_of(const Slot& slot, const Placement& placement, void* arena) {
    if (placement.slot < 0) return nullptr;
    if (placement.packed) return placement.packed->data.get();
    if (slot.kind == Slot::Kind::io) return nullptr;
    void* base = slot.kind == Slot::Kind::arena ? arena : constant_of(slot);
    return static_cast<char*>(base) + placement.offset;
}

}  // namespace

struct Context::Run {
    Context* context;
    int first, last;
    bool trace;
    Poll poll;
    RunResult result;
    // Written by worker 0 before a barrier and read by all after it. Two, taken in turn: worker 0
    // may be at the next instruction before another worker has read the answer for this one.
    bool stop[2];
};

Context::Context(std::shared_ptr<const Program> program, std::shared_ptr<Team> team)
    : program_(std::move(program)),
      team_(std::move(team)),
      arena_(allocate_block(program_->slots()[0].bytes)),
      io_users_(program_->slots().size()),
      timings_(program_->instructions().size()) {
    for (const Instruction& instruction : program_->instructions()) {
        first_operand_.push_back(operands_.size());
        for (const Placement& placement : instruction.operands) {
            const Slot& slot = program_->slots()[placement.slot < 0 ? 0 : placement.slot];
            if (placement.slot >= 0 && slot.kind == Slot::Kind::io)
                io_users_[placement.slot].push_back({operands_.size(), placement.offset});
            operands_.push_back(content_of(slot, placement, arena_.get()));
        }
    }
}

void Context::bind(int slot, void* buffer) {
    for (const Patch& user : io_users_[slot])
        operands_[user.operand] = static_cast<char*>(buffer) + user.offset;
}

void Context::worker_main(void* data, Worker& worker) {
    Run& run = *static_cast<Run*>(data);
    Context& context = *run.context;
    const std::vector<Instruction>& instructions = context.program_->instructions();
    Clock::time_point begin = Clock::now(), polled = begin;
    for (int i = run.first; i < run.last; ++i) {
        const BoundOp& bound = instructions[i].bound;
        bound.run(bound.params.get(), &context.operands_[context.first_operand_[i]], worker);
        bool& stop = run.stop[i & 1];
        if (worker.index == 0) stop = context.should_stop(run, &polled);
        sync(worker);
        if (run.trace) begin = context.note_timing(i, begin, worker);
        if (stop) return;
    }
}

// The others wait, off the clock: the next instruction may write over what the cost depends on.
Context::Clock::time_point Context::note_timing(int instruction, Clock::time_point begin,
                                                Worker& worker) {
    if (worker.index == 0) {
        Timing& timing = timings_[instruction];
        timing.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
        timing.cost = cost_of(program_->instructions()[instruction].bound,
                              &operands_[first_operand_[instruction]]);
    }
    sync(worker);
    return Clock::now();
}

bool Context::should_stop(Run& run, Clock::time_point* polled) const {
    if (cancelled_.load(std::memory_order_relaxed)) {
        run.result = RunResult::cancelled;
        return true;
    }
    const Clock::time_point now = Clock::now();
    if (!run.poll || now - *polled < kPollInterval) return false;
    *polled = now;
    if (!run.poll()) return false;
    run.result = RunResult::interrupted;
    return true;
}

RunResult Context::run(int first, int last, bool trace, Poll poll) {
    cancelled_.store(false);
    Run run{this, first, last, trace, poll, RunResult::done, {false, false}};
    team_->run(worker_main, &run, program_->worker_scratch_bytes(),
               program_->shared_scratch_bytes());
    return run.result;
}

}  // namespace hades
