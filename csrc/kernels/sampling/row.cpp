#include "kernels/sampling/row.h"

#include <algorithm>
#include <cmath>

namespace hades {
namespace {

bool has_penalties(const SampleSettings& s) {
    return s.repetition != 1 || s.presence != 0 || s.frequency != 0;
}

float adjusted_logit(float logit, const AdjustedToken& t, float bias, const SampleSettings& s) {
    logit += bias;
    if (!has_penalties(s)) return logit;
    const auto repetition = static_cast<float>(s.repetition);
    if (t.times > 0 || t.in_prompt != 0)
        logit = logit > 0 ? logit / repetition : logit * repetition;
    if (t.times > 0)
        logit -= static_cast<float>(s.presence) +
                 static_cast<float>(s.frequency) * static_cast<float>(t.times);
    return logit;
}

// The logits to sample from: the row itself where nothing changes it.
const float* changed_logits(const SamplingKernel& kernel, const SampleRow& row, float* copy) {
    if (!row.mask && row.adjusted_count == 0) return row.logits;
    kernel.admit({row.logits, row.n, row.mask, copy});
    for (int64_t i = 0; i < row.adjusted_count; ++i) {
        float* logit = copy + row.adjusted[i].token;
        *logit = adjusted_logit(*logit, row.adjusted[i], row.biases[i], row.settings);
    }
    return copy;
}

// The likeliest tokens with their log-probabilities, of equals the lower first.
void report_likeliest(const SamplingKernel& kernel, const SampleRow& row, const Distribution& d,
                      double normaliser, const NarrowMemory& memory, const SampledRow& sampled) {
    const Cut cut = cut_of_number(kernel, d, row.likeliest, memory);
    const int64_t n = list_kept(kernel, d, nullptr, cut, memory);
    // Places in the list, which is in the order of tokens, are sorted in the memory of weights.
    static_assert(sizeof(int32_t) == sizeof(float), "places take the room of weights");
    auto* const places = reinterpret_cast<int32_t*>(memory.weights);
    for (int64_t i = 0; i < n; ++i) places[i] = static_cast<int32_t>(i);
    std::sort(places, places + n, [&](int32_t a, int32_t b) {
        const float first = memory.values[a], second = memory.values[b];
        return first > second || (!(first < second) && a < b);
    });
    for (int64_t i = 0; i < row.likeliest; ++i) {
        sampled.top_tokens[i] = memory.ids[places[i]];
        sampled.top_logprobs[i] =
            static_cast<float>(static_cast<double>(memory.values[places[i]]) - normaliser);
    }
}

void narrow(const SamplingKernel& kernel, const SampleRow& row, const NarrowMemory& memory,
            Candidates* candidates) {
    if (row.top_k > 0 && row.top_k < row.n)
        keep(kernel, cut_of_number(kernel, candidates->d, row.top_k, memory), memory, candidates);
    if (row.settings.top_p < 1) {
        const double wanted = row.settings.top_p * candidates->d.total;
        keep(kernel, cut_of_weight(kernel, candidates->d, wanted, memory), memory, candidates);
    }
    if (row.settings.min_p > 0)
        keep(kernel, {logit_of_share(candidates->d, row.settings.min_p), 0}, memory, candidates);
}

int64_t choose(const SamplingKernel& kernel, const Distribution& d, const SampleRow& row,
               const NarrowMemory& memory) {
    if (row.settings.temperature <= 0 || !std::isfinite(d.largest)) return first_of_largest(d);
    Candidates candidates = {d, nullptr};
    narrow(kernel, row, memory, &candidates);
    const int64_t place = draw(kernel, candidates.d, row.uniform);
    return candidates.ids ? candidates.ids[place] : place;
}

SampleStatus status_of(const Distribution& d) {
    if (d.has_nan || d.largest == HUGE_VALF) return kNotFinite;
    return d.largest == -HUGE_VALF ? kNothingAllowed : kSampled;
}

}  // namespace

void sample_row(const SamplingKernel& kernel, const SampleRow& row, const RowMemory& memory,
                SampledRow* sampled) {
    const double temperature = row.settings.temperature;
    Distribution d = {};
    SampleStatus status = kSampled;
    double normaliser = 0;
    if (row.wants_logprob) {
        d = survey_logits(kernel, row.logits, row.n, 1.0, memory.narrow.survey);
        status = status_of(d);
        normaliser = static_cast<double>(d.largest) + std::log(d.total);
        if (status == kSampled && row.likeliest > 0)
            report_likeliest(kernel, row, d, normaliser, memory.narrow, *sampled);
    }
    const float* logits = changed_logits(kernel, row, memory.logits);
    const bool is_surveyed = row.wants_logprob && logits == row.logits;
    if (is_surveyed && temperature <= 0)
        d.temperature = temperature;
    else if (!is_surveyed || temperature != 1)
        d = survey_logits(kernel, logits, row.n, temperature, memory.narrow.survey);
    if (status == kSampled) status = status_of(d);
    sampled->token = static_cast<int32_t>(choose(kernel, d, row, memory.narrow));
    sampled->status = status;
    if (row.wants_logprob)
        sampled->logprob =
            static_cast<float>(static_cast<double>(row.logits[sampled->token]) - normaliser);
}

}  // namespace hades
