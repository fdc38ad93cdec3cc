#include "kernels/attention/attention.h"

#include <algorithm>
#include <cmath>

#include "base/registry.h"
#include "base/rounding.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/attention/attention.inc"
#undef HADES_KERNEL
};

enum Input { kQ, kK, kV, kBias, kSinks, kLengths, kMask, kInputs };

constexpr int64_t kOneBlock = 256;  // keys that are scored at once: the scores of a tile stay in L1
constexpr int64_t kBlockKeys = 128;  // of longer sequences
constexpr int64_t kTilesPerChunk = 24;
constexpr int64_t kChunks = 16;
constexpr int64_t kBiasFloats = 192 * 1024;  // of all heads: 3/4 of a 1 MiB L2

// Axes of a [b, heads, rows, columns] operand.
struct Strides {
    int64_t batch = 0, head = 0, row = 0, col = 0;
};

Strides strides_of(const Tensor& t) {
    return {t.strides[0], t.strides[1], t.strides[2], t.strides[3]};
}

struct AttentionParams {
    AttentionKernel kernel;
    AttentionArgs args;  // pointers and rows are set per chunk
    Strides q, k, v, y, bias, mask;
    int64_t batch, key_heads, group;
    int64_t row_blocks;
    bool heads_innermost;
    size_t y_operand;
};

template <class T>
T* at(void* const* operands, size_t index, int64_t offset) {
    return operands[index] ? static_cast<T*>(operands[index]) + offset : nullptr;
}

struct Chunk {
    int64_t block, batch, key_head;
};

// What two chunks in a row share stays in the cache: the bias of a head while batches pass or,
// where the biases of all heads fit, the mask of a batch and its rows, which hold all heads side by
// side.
Chunk chunk_of(const AttentionParams& p, int64_t index) {
    const int64_t block = index % p.row_blocks, rest = index / p.row_blocks;
    if (p.heads_innermost) return {block, rest / p.key_heads, rest % p.key_heads};
    return {block, rest % p.batch, rest / p.batch};
}

void run_chunk(const AttentionParams& p, void* const* operands, int64_t index, Worker& worker) {
    const Chunk chunk = chunk_of(p, index);
    const int64_t block = chunk.block, batch = chunk.batch, key_head = chunk.key_head;
    const int64_t head = key_head * p.group, rows = p.group * p.args.queries;

    AttentionArgs a = p.args;
    a.first_row = rows * block / p.row_blocks;
    a.rows = rows * (block + 1) / p.row_blocks - a.first_row;
    a.q = at<const float>(operands, kQ, batch * p.q.batch + head * p.q.head);
    a.k = at<const float>(operands, kK, batch * p.k.batch + key_head * p.k.head);
    a.v = at<const float>(operands, kV, batch * p.v.batch + key_head * p.v.head);
    a.y = at<float>(operands, p.y_operand, batch * p.y.batch + head * p.y.head);
    a.sinks = p.y_operand > kSinks ? at<const float>(operands, kSinks, head) : nullptr;
    if (p.y_operand > kBias)
        a.addends[0].data =
            at<const float>(operands, kBias, batch * p.bias.batch + head * p.bias.head);
    if (p.y_operand > kMask)
        a.addends[1].data =
            at<const float>(operands, kMask, batch * p.mask.batch + head * p.mask.head);
    if (p.y_operand > kLengths && operands[kLengths]) {
        const int64_t length = static_cast<const int32_t*>(operands[kLengths])[batch];
        a.keys = std::clamp<int64_t>(length, 0, a.keys);
    }
    a.scratch = static_cast<float*>(worker.scratch);
    p.kernel.run(a);
}

void run_attention(const void* params, void* const* operands, Worker& worker) {
    const auto& p = *static_cast<const AttentionParams*>(params);
    if (p.args.queries == 0) return;
    parallel_for(worker, p.row_blocks * p.batch * p.key_heads,
                 [&](int64_t chunk) { run_chunk(p, operands, chunk, worker); });
}

bool is_matrix(const Tensor& t, bool contiguous_rows) {
    return t.rank == 4 && t.dtype == DType::f32 &&
           (!contiguous_rows || t.strides[3] == 1 || t.shape[3] <= 1);
}

Status check_shapes(const OpDesc& desc) {
    if (desc.inputs.size() < 3 || desc.inputs.size() > kInputs || desc.outputs.size() != 1 ||
        !desc.has(kQ) || !desc.has(kK) || !desc.has(kV))
        return invalid("attention takes q, k, v, bias, sinks, kv_lengths, mask and gives y");
    const Tensor &q = desc.in(kQ), &k = desc.in(kK), &v = desc.in(kV), &y = desc.out(0);
    for (const Tensor* t : {&q, &k, &v, &y})
        if (!is_matrix(*t, true))
            return invalid(
                "attention: q, k, v and y must be float32 with 4 axes, the last contiguous");
    if (k.shape[0] != q.shape[0] || v.shape[0] != q.shape[0] || k.shape[1] != v.shape[1] ||
        k.shape[2] != v.shape[2] || k.shape[3] != q.shape[3])
        return invalid(
            "attention: q [b, hq, m, d], k [b, hkv, n, d] and v [b, hkv, n, dv] do not fit");
    if (k.shape[1] == 0 || q.shape[1] % k.shape[1] != 0)
        return invalid("attention: %lld query heads are no multiple of %lld key heads",
                       static_cast<long long>(q.shape[1]), static_cast<long long>(k.shape[1]));
    if (y.shape[0] != q.shape[0] || y.shape[1] != q.shape[1] || y.shape[2] != q.shape[2] ||
        y.shape[3] != v.shape[3])
        return invalid("attention: y must have the shape [b, hq, m, dv]");
    for (size_t input : {kBias, kMask}) {
        if (!desc.has(input)) continue;
        const Tensor& t = desc.in(input);
        if (!is_matrix(t, false) || t.shape[0] != q.shape[0] || t.shape[1] != q.shape[1] ||
            t.shape[2] != q.shape[2] || t.shape[3] != k.shape[2])
            return invalid("attention: %s must be float32 [b, hq, m, n]",
                           input == kBias ? "bias" : "mask");
    }
    if (desc.has(kSinks)) {
        const Tensor& t = desc.in(kSinks);
        if (t.rank != 1 || t.dtype != DType::f32 || t.shape[0] != q.shape[1] || t.strides[0] != 1)
            return invalid("attention: sinks must be float32 [hq], contiguous");
    }
    if (desc.has(kLengths)) {
        const Tensor& t = desc.in(kLengths);
        if (t.rank != 1 || t.dtype != DType::i32 || t.shape[0] != q.shape[0] || t.strides[0] != 1)
            return invalid("attention: kv_lengths must be int32 [b], contiguous");
    }
    return {};
}

void describe(const OpDesc& desc, AttentionParams* p) {
    const Tensor &q = desc.in(kQ), &k = desc.in(kK);
    p->q = strides_of(q);
    p->k = strides_of(k);
    p->v = strides_of(desc.in(kV));
    p->y = strides_of(desc.out(0));
    if (desc.has(kBias)) p->bias = strides_of(desc.in(kBias));
    if (desc.has(kMask)) p->mask = strides_of(desc.in(kMask));
    p->batch = q.shape[0];
    p->key_heads = k.shape[1];
    p->group = q.shape[1] / k.shape[1];
    p->y_operand = desc.inputs.size();

    AttentionArgs& a = p->args;
    a = {};
    a.addends[0] = {nullptr, p->bias.head, p->bias.row, p->bias.col};
    a.addends[1] = {nullptr, p->mask.head, p->mask.row, p->mask.col};
    a.q_head = p->q.head;
    a.q_row = p->q.row;
    a.k_row = p->k.row;
    a.v_row = p->v.row;
    a.y_head = p->y.head;
    a.y_row = p->y.row;
    a.queries = q.shape[2];
    a.keys = k.shape[2];
    a.d = q.shape[3];
    a.dv = desc.in(kV).shape[3];
    const double scale = 1.0 / std::sqrt(std::max(1.0, static_cast<double>(a.d)));
    a.scale = static_cast<float>(desc.attributes.real("scale", scale));
    a.causal = desc.attributes.integer("causal", 0) != 0;
    a.window = desc.attributes.integer("window", 0);
    a.block_keys = a.keys <= kOneBlock ? std::max<int64_t>(a.keys, 1) : kBlockKeys;
}

// Chunks of whole tiles; packing the keys anew is paid back by two tiles of rows.
int64_t choose_row_blocks(const AttentionParams& p) {
    const int64_t tiles =
        std::max<int64_t>(1, ceil_div(p.group * p.args.queries, p.kernel.tile_rows));
    int64_t blocks = ceil_div(tiles, kTilesPerChunk);
    while (p.batch * p.key_heads * blocks < kChunks && blocks * 4 <= tiles) blocks *= 2;
    return blocks;
}

bool keeps_biases(const AttentionParams& p) {
    const int64_t heads = p.bias.head == 0 ? 1 : p.key_heads * p.group;
    return heads * p.args.queries * p.args.keys <= kBiasFloats;
}

Status bind_attention(const OpDesc& desc, BoundOp* bound) {
    const Status status = check_shapes(desc);
    if (!status.ok) return status;
    auto params = std::make_shared<AttentionParams>();
    describe(desc, params.get());
    if (params->args.window < 0) return invalid("attention: window must not be negative");
    auto* provider =
        select<AttentionProvider>(kKernels, "attention_f32", desc.allowed, &bound->kernel);
    params->kernel = provider();
    params->row_blocks = choose_row_blocks(*params);
    params->heads_innermost = keeps_biases(*params);

    const AttentionArgs& a = params->args;
    const int64_t rows = ceil_div(params->group * a.queries, params->row_blocks);
    const AttentionScratch scratch =
        attention_scratch(rows, a.block_keys, a.d, a.dv, params->kernel.tile_rows);
    bound->worker_scratch_bytes = static_cast<size_t>(scratch.floats) * sizeof(float);
    bound->run = run_attention;
    const auto heads = static_cast<double>(params->batch * params->key_heads * params->group);
    const auto m = static_cast<double>(a.queries), n = static_cast<double>(a.keys);
    const auto width = static_cast<double>(a.d + a.dv);
    bound->flops = 2.0 * heads * m * n * width;
    bound->bytes =
        4.0 * (heads * m * width + heads / static_cast<double>(params->group) * n * width);
    bound->params = params;
    return {};
}

const OpEntry kOps[] = {{"attention", bind_attention}};

}  // namespace

Family attention_family() { return make_family("attention", kOps, kKernels); }

}  // namespace hades
