#include "runtime/roof.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "base/rounding.h"
#include "kernels/roof/roof.h"
#include "runtime/memory.h"

namespace hades {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
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

// Best of several short rounds on every thread, in 10^9 operations per second.
double best_giga_rate(int threads, const RoofChains& chains) {
    return sum_over_threads(threads, [&] {
        constexpr int64_t kRounds = 100000;  // a quarter of a millisecond: between interruptions
        constexpr int kRepeats = 40;
        const auto operations = static_cast<double>(chains.operations * kRounds);
        float sink;
        double best = 0;
        for (int repeat = 0; repeat < kRepeats; ++repeat) {
            const auto start = Clock::now();
            chains.run(kRounds, &sink);
            best = std::max(best, operations / seconds_since(start));
        }
        return best * 1e-9;
    });
}

}  // namespace

double measure_peak_gflops(IsaMask allowed, int threads) {
    return best_giga_rate(threads, roof_kernels(allowed).multiply_add);
}

double measure_peak_int8_gops(IsaMask allowed, int threads) {
    // Bytes one by one are slower than floats: no roof of anything.
    return allowed == tier::scalar ? 0 : best_giga_rate(threads, roof_kernels(allowed).dot);
}

double measure_peak_bf16_gflops(IsaMask allowed, int threads) {
    return best_giga_rate(threads, roof_kernels(allowed).dot_bf16);
}

double measure_bandwidth_gbs(IsaMask allowed, int threads, int64_t bytes, int passes) {
    RoofRead* const read = roof_kernels(allowed).read;
    const int64_t floats =
        round_up(bytes / threads / static_cast<int64_t>(sizeof(float)), kRoofFloats);
    return sum_over_threads(threads, [&] {
        const Block block = allocate_block(static_cast<size_t>(floats) * sizeof(float));
        auto* data = static_cast<float*>(block.get());
        std::fill(data, data + floats, 1.0f);  // gives the pages memory of their own
        std::vector<double> rates;
        float sink;
        for (int pass = 0; pass < passes; ++pass) {
            const auto start = Clock::now();
            read(data, floats, &sink);
            rates.push_back(static_cast<double>(floats) * sizeof(float) / seconds_since(start));
        }
        std::sort(rates.begin(), rates.end());
        return rates[rates.size() / 2] * 1e-9;
    });
}

}  // namespace hades
