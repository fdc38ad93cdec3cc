#pragma once
#include <atomic>
#include <cstdint>

namespace hades {

// Lets the workers of a team in and out of the steps of a job. A step is over when everybody who
// has entered it has arrived at its end: whoever is late is not waited for and enters the step that
// is current when it comes, or none. A step may have several phases, which end in the same way.
//
// One word holds all of it, so that no one enters while the last one leaves:
//   bits 0-31   turn: changes with every phase, step and job; waiters park on it
//   bits 32-46  workers that have entered the step
//   bits 47-61  those of them that have arrived at the end of the phase
//   bit 62      open: may be entered
//   bit 63      over: there is no job
class Turnstile {
  public:
    static constexpr int kMostWorkers = (1 << 15) - 1;

    // Begins a job at step 0. Only if there is none.
    void open();

    // True: the caller is in step() and has missed phase() phases, both of which stay until it
    // arrives. False: there is no job, `turn` will change when there is.
    bool enter(uint32_t* turn);
    int step() const { return step_; }
    int phase() const { return phase_; }

    // Arrive at the end of a phase or step and return once everybody inside has. `is_last` is asked
    // on one of them meanwhile, with no one else inside: whether the job ends with this step.
    void end_phase();
    template <class IsLast>
    void end_step(IsLast&& is_last) {
        uint32_t turn;
        if (!arrive(&turn)) return wait_while(turn);
        const bool is_over = is_last();
        phase_ = 0;
        step_ = is_over ? 0 : step_ + 1;
        publish(turn + 1, is_over ? kOver : kOpen);
    }

    // Ends the wait of those who wait for a job though there is none.
    void wake_idle();
    void wait_while(uint32_t turn);

  private:
    static constexpr uint64_t kEntered = uint64_t(1) << 32, kArrived = uint64_t(1) << 47;
    static constexpr uint64_t kOpen = uint64_t(1) << 62, kOver = uint64_t(1) << 63;

    bool arrive(uint32_t* turn);
    void publish(uint32_t turn, uint64_t state);

    alignas(64) std::atomic<uint64_t> word_{kOver};
    int step_ = 0, phase_ = 0;  // written by the last to arrive, while the word is not open
    alignas(64) std::atomic<int> parked_{0};

  public:
    alignas(64) std::atomic<int64_t> counter{0};  // next chunk of the phase
};

}  // namespace hades
