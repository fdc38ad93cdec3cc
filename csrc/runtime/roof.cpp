#include "runtime/roof.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace hades {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

RoofProbe probe_for(IsaMask allowed) {
#if defined(HADES_X86)
    if ((tier::avx512 & ~allowed) == 0) return {avx512::compute_probe, avx512::read_probe};
    if ((tier::avx2 & ~allowed) == 0) return {avx2::compute_probe, avx2::read_probe};
#else
    (void)allowed;
#endif
    return {scalar::compute_probe, scalar::read_probe};
}

// Calls rate() on every thread at once and returns the sum of what they return.
template <class Rate>
double sum_over_threads(int threads, Rate rate) {
    std::vector<double> rates(static_cast<size_t>(threads));
    std::atomic<int> waiting{threads};
    auto body = [&](int index) {
        waiting.fetch_sub(1);
        while (waiting.load() > 0) std::this_thread::yield();
        rates[static_cast<size_t>(index)] = rate();
    };
    std::vector<std::thread> others;
    for (int index = 1; index < threads; ++index) others.emplace_back(body, index);
    body(0);
    for (std::thread& other : others) other.join();
    double total = 0;
    for (double one : rates) total += one;
    return total;
}

}  // namespace

double measure_peak_gflops(IsaMask allowed, int threads) {
    const RoofProbe probe = probe_for(allowed);
    return sum_over_threads(threads, [&] {
        constexpr int64_t kRounds = 100000;  // a quarter of a millisecond: between interruptions
        constexpr int kRepeats = 40;
        float sink;
        double best = 0;
        for (int repeat = 0; repeat < kRepeats; ++repeat) {
            const auto start = Clock::now();
            const double flops = probe.compute(kRounds, &sink);
            best = std::max(best, flops / seconds_since(start));
        }
        return best * 1e-9;
    });
}

double measure_bandwidth_gbs(IsaMask allowed, int threads) {
    const RoofProbe probe = probe_for(allowed);
    return sum_over_threads(threads, [&] {
        constexpr size_t kFloats = size_t{32} << 20;  // 128 MiB: beyond the last-level cache
        constexpr int kRepeats = 3;
        const std::vector<float> data(kFloats, 1.0f);
        float sink;
        double best = 0;
        for (int repeat = 0; repeat < kRepeats; ++repeat) {
            const auto start = Clock::now();
            probe.read(data.data(), static_cast<int64_t>(kFloats), &sink);
            best = std::max(best, kFloats * sizeof(float) / seconds_since(start));
        }
        return best * 1e-9;
    });
}

}  // namespace hades
