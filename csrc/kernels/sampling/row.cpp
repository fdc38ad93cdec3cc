#include "kernels/sampling/row.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "kernels/sampling/cut.h"

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
                      double normaliser, const RowMemory& memory, const SampledRow& sampled) {
    const float floor = row.likeliest < row.n ? floor_of_largest(d, row.likeliest) : -HUGE_VALF;
    int64_t n = gather_logits(kernel, d, floor, memory.values, memory.ids);
    if (n < row.likeliest)  // some of them are -inf
        n = gather_logits(kernel, d, -HUGE_VALF, memory.values, memory.ids);
    const Cut cut = find_cut(memory.values, nullptr, n, static_cast<double>(row.likeliest));
    n = apply_cut(cut, memory.values, memory.ids, n);
    // Places in the list, which is in the order of tokens, are sorted in the memory of weights.
    static_assert(sizeof(int32_t) == sizeof(float), "places take the room of weights");
    auto* const places = reinterpret_cast<int32_t*>(memory.weights);
    for (int64_t i = 0; i < n; ++i) places[i] = static_cast<int32_t>(i);
    std::sort(places, places + n, [&](int32_t a, int32_t b) {
        const float first = memory.values[a], second = memory.values[b];
        return first > second || (!(first < second) && a < b);
    });
    for (int64_t i = 0; i < n; ++i) {
        sampled.top_tokens[i] = memory.ids[places[i]];
        sampled.top_logprobs[i] =
            static_cast<float>(static_cast<double>(memory.values[places[i]]) - normaliser);
    }
}

// A list of logits that may be drawn.
struct List {
    float* values;
    int32_t* ids;
    int64_t n;
};

void keep_nucleus(const SamplingKernel& kernel, const Distribution& d, double total, double share,
                  float* weights, List* list) {
    kernel.weigh({list->values, list->n, d.largest, d.scale, weights});
    const Cut cut = find_cut(list->values, weights, list->n, share * total);
    list->n = apply_cut(cut, list->values, list->ids, list->n);
}

double total_weight(const SamplingKernel& kernel, const Distribution& d, const List& list,
                    float* weights) {
    kernel.weigh({list.values, list.n, d.largest, d.scale, weights});
    double total = 0;
    for (int64_t i = 0; i < list.n; ++i) total += static_cast<double>(weights[i]);
    return total;
}

// A logit below which nothing can be drawn, from what the survey tells.
float floor_of(const Distribution& d, const SampleRow& row, bool limits_number) {
    const double top_p = row.settings.top_p, min_p = row.settings.min_p;
    if (limits_number) return floor_of_largest(d, row.top_k);
    float floor = min_p > 0 ? logit_of_share(d, min_p) : -FLT_MAX;
    if (top_p < 1) {
        // Tokens of less than their even part of what may be missing add up to less than that; a
        // thousandth is for rounding.
        const double missing = (1 - top_p) * d.total / static_cast<double>(d.n);
        floor = std::max(floor, logit_of_share(d, missing * 0.999));
    }
    return floor;
}

List narrow(const SamplingKernel& kernel, const Distribution& d, const SampleRow& row,
            const RowMemory& memory) {
    const bool limits_number = row.top_k > 0 && row.top_k < row.n;
    List list = {memory.values, memory.ids, 0};
    list.n = gather_logits(kernel, d, floor_of(d, row, limits_number), list.values, list.ids);
    if (limits_number && row.top_k < list.n) {
        const Cut cut = find_cut(list.values, nullptr, list.n, static_cast<double>(row.top_k));
        list.n = apply_cut(cut, list.values, list.ids, list.n);
    }
    if (row.settings.top_p < 1) {
        const double total =
            limits_number ? total_weight(kernel, d, list, memory.weights) : d.total;
        keep_nucleus(kernel, d, total, row.settings.top_p, memory.weights, &list);
    }
    if (row.settings.min_p > 0) {
        const Cut cut = {logit_of_share(d, row.settings.min_p), list.n};
        list.n = apply_cut(cut, list.values, list.ids, list.n);
    }
    return list;
}

bool is_plain(const SampleRow& row) {
    const bool limits_number = row.top_k > 0 && row.top_k < row.n;
    return !limits_number && row.settings.top_p >= 1 && row.settings.min_p <= 0;
}

int64_t choose(const SamplingKernel& kernel, const Distribution& d, const SampleRow& row,
               const RowMemory& memory) {
    if (row.settings.temperature <= 0 || !std::isfinite(d.largest)) return first_of_largest(d);
    if (is_plain(row)) return draw(kernel, d, row.uniform);
    const List list = narrow(kernel, d, row, memory);
    const Distribution left =
        survey_logits(kernel, list.values, list.n, d.temperature, memory.survey);
    return list.ids[draw(kernel, left, row.uniform)];
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
        d = survey_logits(kernel, row.logits, row.n, 1.0, memory.survey);
        status = status_of(d);
        normaliser = static_cast<double>(d.largest) + std::log(d.total);
        if (status == kSampled && row.likeliest > 0)
            report_likeliest(kernel, row, d, normaliser, memory, *sampled);
    }
    const float* logits = changed_logits(kernel, row, memory.logits);
    const bool is_surveyed = row.wants_logprob && logits == row.logits;
    if (is_surveyed && temperature <= 0)
        d.temperature = temperature;
    else if (!is_surveyed || temperature != 1)
        d = survey_logits(kernel, logits, row.n, temperature, memory.survey);
    if (status == kSampled) status = status_of(d);
    sampled->token = static_cast<int32_t>(choose(kernel, d, row, memory));
    sampled->status = status;
    if (row.wants_logprob)
        sampled->logprob =
            static_cast<float>(static_cast<double>(row.logits[sampled->token]) - normaliser);
}

}  // namespace hades
