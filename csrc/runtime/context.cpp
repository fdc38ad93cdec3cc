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
    std::atomic<bool> is_interrupted;  // set by the calling thread
    Clock::time_point polled;          // by the calling thread
    Clock::time_point begin;           // of the current instruction
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

void Context::run_step(void* data, int step, Worker& worker) {
    Run& run = *static_cast<Run*>(data);
    Context& context = *run.context;
    const int i = run.first + step;
    if (worker.index == 0) context.poll(run);
    const BoundOp& bound = context.program_->instructions()[i].bound;
    bound.run(bound.params.get(), &context.operands_[context.first_operand_[i]], worker);
}

bool Context::end_step(void* data, int step) {
    Run& run = *static_cast<Run*>(data);
    if (run.trace) run.context->note_timing(run.first + step, run);
    if (run.context->cancelled_.load(std::memory_order_relaxed)) {
        run.result = RunResult::cancelled;
        return true;
    }
    if (run.is_interrupted.load(std::memory_order_relaxed)) {
        run.result = RunResult::interrupted;
        return true;
    }
    return run.first + step + 1 == run.last;
}

// No one is at work, off the clock: the next instruction may write over what the cost depends on.
void Context::note_timing(int instruction, Run& run) {
    Timing& timing = timings_[instruction];
    timing.seconds = std::chrono::duration<double>(Clock::now() - run.begin).count();
    timing.cost = cost_of(program_->instructions()[instruction].bound,
                          &operands_[first_operand_[instruction]]);
    run.begin = Clock::now();
}

void Context::poll(Run& run) {
    if (!run.poll) return;
    const Clock::time_point now = Clock::now();
    if (now - run.polled < kPollInterval) return;
    run.polled = now;
    if (run.poll()) run.is_interrupted.store(true, std::memory_order_relaxed);
}

RunResult Context::run(int first, int last, bool trace, Poll poll) {
    cancelled_.store(false);
    if (first == last) return RunResult::done;
    const Clock::time_point now = Clock::now();
    Run run{this, first, last, trace, poll, RunResult::done, {false}, now, now};
    team_->run({run_step, end_step, &run}, program_->worker_scratch_bytes(),
               program_->shared_scratch_bytes());
    return run.result;
}

}  // namespace hades
