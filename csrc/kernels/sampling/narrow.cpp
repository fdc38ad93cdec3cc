#include "kernels/sampling/narrow.h"

#include <cfloat>
#include <cmath>

namespace hades {
namespace {

// A list of so small a part of all logits is looked at one by one.
constexpr double kSmallPart = 0.125;
constexpr int kMostTallies = 4;

// Where the cut lies: not below `low`, and below `high`.
struct Between {
    float low, high;
    double above;      // weight of what is not below `high`, less than wanted
    double above_low;  // at least the weight of what is not below `low`
};

double most_between(const Distribution& d, const Between& b) {
    const double least = std::exp((static_cast<double>(b.low) - static_cast<double>(d.largest)) *
                                  static_cast<double>(d.scale));
    return (b.above_low - b.above) / least;
}

// Looks at eight logits between the two.
void look_closer(const SamplingKernel& kernel, const Distribution& d, double wanted, Between* b) {
    const float high = b->high < HUGE_VALF ? b->high : d.largest;
    float thresholds[kTallies];
    double above[kTallies];
    for (int j = 0; j < kTallies; ++j)
        thresholds[j] = b->low + (high - b->low) *
                                     (static_cast<float>(j + 1) / static_cast<float>(kTallies + 1));
    kernel.tally({d.x, d.n, d.at.maxima, d.largest, d.scale, thresholds, above});
    for (int j = kTallies - 1; j >= 0; --j) {
        if (above[j] >= wanted) {
            b->low = thresholds[j];
            b->above_low = above[j];
            return;
        }
        b->high = thresholds[j];
        b->above = above[j];
    }
}

Cut cut_between(const SamplingKernel& kernel, const Distribution& d, const Between& b,
                double wanted, const NarrowMemory& memory) {
    const int64_t n =
        kernel.gather({d.x, nullptr, d.n, d.at.maxima, b.low, b.high, memory.between, nullptr});
    kernel.weigh({memory.between, n, d.largest, d.scale, memory.weights});
    Cut cut = find_cut(memory.between, memory.weights, n, wanted - b.above);
    cut.value = std::fmax(cut.value, b.low);  // where rounding has left less than is wanted
    return cut;
}

// The largest of blocks or groups are some of the logits: so many of all are not below. Few enough
// are where no more than half of the maxima are needed.
float floor_of_number(const Distribution& d, int64_t count) {
    const int64_t groups = d.blocks * kSampleGroups;
    if (count > groups) return -FLT_MAX;
    const bool is_small = count <= d.blocks / 2;
    const float* maxima = is_small ? d.at.largest : d.at.maxima;
    const Cut cut =
        find_cut(maxima, nullptr, is_small ? d.blocks : groups, static_cast<double>(count));
    return std::fmax(cut.value, -FLT_MAX);
}

// The largest of groups are some of the logits: where they alone weigh enough, no more are needed.
// Returns the lowest finite number where they do not.
float floor_of_groups(const SamplingKernel& kernel, const Distribution& d, double wanted,
                      const NarrowMemory& memory) {
    const int64_t groups = d.blocks * kSampleGroups;
    kernel.weigh({d.at.maxima, groups, d.largest, d.scale, memory.weights});
    return std::fmax(find_cut(d.at.maxima, memory.weights, groups, wanted).value, -FLT_MAX);
}

// Drops the last of those that equal the cut; how many are left.
int64_t drop_excess(const Cut& cut, int64_t n, const NarrowMemory& memory) {
    int64_t equals = -cut.excess;  // that stay
    for (int64_t i = 0; i < n; ++i) equals += memory.values[i] == cut.value;
    int64_t left = 0;
    for (int64_t i = 0; i < n; ++i) {
        const bool is_equal = memory.values[i] == cut.value;
        memory.values[left] = memory.values[i];
        memory.ids[left] = memory.ids[i];
        left += !is_equal || equals > 0;
        equals -= is_equal;
    }
    return left;
}

}  // namespace

Cut cut_of_number(const SamplingKernel& kernel, const Distribution& d, int64_t count,
                  const NarrowMemory& memory) {
    const auto wanted = static_cast<double>(count);
    const float floor = floor_of_number(d, count);
    const int64_t n =
        kernel.gather({d.x, nullptr, d.n, d.at.maxima, floor, HUGE_VALF, memory.between, nullptr});
    return find_cut(memory.between, nullptr, n, wanted);
}

Cut cut_of_weight(const SamplingKernel& kernel, const Distribution& d, double wanted,
                  const NarrowMemory& memory) {
    Between b = {floor_of_groups(kernel, d, wanted, memory), HUGE_VALF, 0, d.total};
    if (b.low > -FLT_MAX) return cut_between(kernel, d, b, wanted, memory);
    // Tokens of less than their even part of what may be missing add up to less than that; a
    // thousandth is for rounding.
    const double missing = std::fmax(d.total - wanted, 0.0) / static_cast<double>(d.n);
    b.low = logit_of_share(d, missing * 0.999);
    const double few = kSmallPart * static_cast<double>(d.n);
    for (int i = 0; i < kMostTallies && b.low > -FLT_MAX && most_between(d, b) > few; ++i)
        look_closer(kernel, d, wanted, &b);
    return cut_between(kernel, d, b, wanted, memory);
}

int64_t list_kept(const SamplingKernel& kernel, const Distribution& d, const int32_t* ids,
                  const Cut& cut, const NarrowMemory& memory) {
    const int64_t n = kernel.gather(
        {d.x, ids, d.n, d.at.maxima, cut.value, HUGE_VALF, memory.values, memory.ids});
    return cut.excess > 0 ? drop_excess(cut, n, memory) : n;
}

void keep(const SamplingKernel& kernel, const Cut& cut, const NarrowMemory& memory,
          Candidates* candidates) {
    const Cut finite = {std::fmax(cut.value, -FLT_MAX), cut.excess};
    const int64_t n = list_kept(kernel, candidates->d, candidates->ids, finite, memory);
    candidates->d =
        survey_logits(kernel, memory.values, n, candidates->d.temperature, memory.survey);
    candidates->ids = memory.ids;
}

}  // namespace hades
