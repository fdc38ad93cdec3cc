#include "kernels/paged_attention/paged_attention.h"

#include <algorithm>

#include "base/operand_shapes.h"
#include "base/registry.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/paged_attention/paged_attention.inc"
#undef HADES_KERNEL
};

struct AttentionParams {
    PagedAttention* kernel;
    PagedAttentionArgs args;  // pointers, position and tokens are filled in per visit
    int64_t kv_heads, table_row;
};

enum InputOperand { kCounts, kQ, kPool, kBlockTable, kFirstToken, kLengths, kSinks, kO };

// Which sequence is in a step, and which of its tokens go over its keys and values together.
struct Visit {
    int64_t sequence, token, tokens;
};

// So many tokens fit one visit.
int64_t most_tokens(int64_t heads) { return std::max<int64_t>(kMostRows / heads, 1); }

int64_t visits_of(int64_t tokens, int64_t most) { return (tokens + most - 1) / most; }

int64_t all_visits(const int32_t* first_token, int64_t tokens, int64_t most) {
    int64_t visits = 0;
    for (int64_t s = 0; first_token[s] < tokens; ++s)
        visits += visits_of(first_token[s + 1] - first_token[s], most);
    return visits;
}

// The tokens of a sequence are shared out evenly over its visits.
Visit visit_at(int64_t index, const int32_t* first_token, int64_t most) {
    for (int64_t sequence = 0;; ++sequence) {
        const int64_t first = first_token[sequence], tokens = first_token[sequence + 1] - first;
        const int64_t visits = visits_of(tokens, most);
        if (index < visits) {
            const int64_t begin = index * tokens / visits, end = (index + 1) * tokens / visits;
            return {sequence, first + begin, end - begin};
        }
        index -= visits;
    }
}

int64_t first_seen(const AttentionParams& attention, int64_t position) {
    const int64_t window = attention.args.window;
    return std::max<int64_t>(window > 0 ? position + 1 - window : 0, 0);
}

void run_paged_attention(const void* params, void* const* operands, Worker& worker) {
    const auto& attention = *static_cast<const AttentionParams*>(params);
    const auto* counts = static_cast<const int32_t*>(operands[kCounts]);
    const auto* first_token = static_cast<const int32_t*>(operands[kFirstToken]);
    const auto* lengths = static_cast<const int32_t*>(operands[kLengths]);
    const int64_t d = attention.args.block.head_dim, heads = attention.args.heads;
    const int64_t most = most_tokens(heads);
    const int64_t visits = all_visits(first_token, counts[0], most);
    parallel_for(worker, visits * attention.kv_heads, [&](int64_t chunk) {
        const Visit visit = visit_at(chunk / attention.kv_heads, first_token, most);
        const int64_t kv_head = chunk % attention.kv_heads, head = kv_head * heads;
        PagedAttentionArgs args = attention.args;
        args.tokens = visit.tokens;
        args.q = static_cast<const float*>(operands[kQ]) + visit.token * args.q_token + head * d;
        args.o = static_cast<float*>(operands[kO]) + visit.token * args.o_token + head * d;
        args.pool =
            static_cast<const uint8_t*>(operands[kPool]) + kv_head * 2 * args.block.part_bytes();
        args.blocks = static_cast<const int32_t*>(operands[kBlockTable]) +
                      visit.sequence * attention.table_row;
        const auto* sinks = static_cast<const float*>(operands[kSinks]);
        args.sinks = sinks ? sinks + head : nullptr;
        args.position = lengths[visit.sequence] - first_token[visit.sequence + 1] + visit.token;
        args.scratch = static_cast<float*>(worker.scratch);
        attention.kernel(args);
    });
}

// `pairs`: of a token and a position that it sees; `positions`: those whose keys and values are
// read, once for all tokens of a sequence.
Cost cost_of(const AttentionParams& attention, int64_t tokens, int64_t pairs, int64_t positions) {
    const PagedAttentionArgs& args = attention.args;
    const int64_t width = attention.kv_heads * args.heads * args.block.head_dim;
    const int64_t stored = args.block_bytes / kBlockTokens;
    return {4.0 * static_cast<double>(pairs) * static_cast<double>(width),
            static_cast<double>(positions * stored + tokens * 8 * width)};
}

Cost cost_of_paged_attention(const void* params, void* const* operands) {
    const auto& attention = *static_cast<const AttentionParams*>(params);
    const int64_t tokens = *static_cast<const int32_t*>(operands[kCounts]);
    const auto* first_token = static_cast<const int32_t*>(operands[kFirstToken]);
    const auto* lengths = static_cast<const int32_t*>(operands[kLengths]);
    int64_t pairs = 0, positions = 0;
    for (int64_t sequence = 0; first_token[sequence] < tokens; ++sequence) {
        const int64_t end = lengths[sequence];
        const int64_t begin = end - (first_token[sequence + 1] - first_token[sequence]);
        for (int64_t p = begin; p < end; ++p) pairs += p + 1 - first_seen(attention, p);
        if (begin < end) positions += end - first_seen(attention, begin);
    }
    return cost_of(attention, tokens, pairs, positions);
}

// As many tokens as fit, all at the ends of the longest sequences.
Cost largest_cost(const OpDesc& desc, const AttentionParams& attention) {
    const Tensor& table = desc.in(kBlockTable);
    const int64_t tokens = desc.in(kQ).shape[0], longest = table.shape[1] * kBlockTokens;
    const int64_t window = attention.args.window > 0 ? attention.args.window : longest;
    const int64_t sequences = std::min(tokens, table.shape[0]);
    const int64_t read = sequences * std::min(longest, window) + tokens - sequences;
    return cost_of(attention, tokens, tokens * std::min(longest, window),
                   std::min(read, sequences * longest));
}

bool is_rows(const Tensor& t, int64_t width) {
    return t.dtype == DType::f32 && t.rank == 2 && t.shape[1] == width && t.strides[1] == 1;
}

Status check(const OpDesc& desc, const AttentionParams& params) {
    const Tensor &q = desc.in(kQ), &table = desc.in(kBlockTable);
    const PagedAttentionArgs& args = params.args;
    const int64_t d = args.block.head_dim, heads = args.heads * params.kv_heads;
    if (d < 16 || d % 16 || args.heads < 1)
        return invalid("paged_attention: head_dim %ld must be a multiple of 16", long(d));
    if (!is_rows(q, heads * d) || !is_rows(desc.out(0), heads * d) ||
        q.shape[0] != desc.out(0).shape[0])
        return invalid("paged_attention: q and o must be float32 [t, %ld]", long(heads * d));
    if (!is_vector(desc.in(kPool), DType::u8) ||
        desc.in(kPool).shape[0] % args.block.bytes(params.kv_heads))
        return invalid("paged_attention: the pool must be uint8, a multiple of %ld bytes",
                       long(args.block.bytes(params.kv_heads)));
    if (!is_vector(desc.in(kCounts), DType::i32) || desc.in(kCounts).shape[0] < 2)
        return invalid("paged_attention: counts must be int32 [4]");
    if (table.dtype != DType::i32 || table.rank != 2 || table.strides[1] != 1)
        return invalid("paged_attention: the block table must be int32 [sequences, blocks]");
    if (!is_vector(desc.in(kFirstToken), DType::i32) || !is_vector(desc.in(kLengths), DType::i32) ||
        desc.in(kFirstToken).shape[0] != table.shape[0] + 1 ||
        desc.in(kLengths).shape[0] != table.shape[0])
        return invalid("paged_attention: first_token int32 [%ld], lengths int32 [%ld]",
                       long(table.shape[0] + 1), long(table.shape[0]));
    if (desc.has(kSinks) &&
        (!is_vector(desc.in(kSinks), DType::f32) || desc.in(kSinks).shape[0] != heads))
        return invalid("paged_attention: sinks must be float32 [%ld]", long(heads));
    return {};
}

// paged_attention(counts [4] int32, q [t, heads d], pool, block_table [s, blocks] int32,
// first_token [s + 1] int32, lengths [s] int32, sinks [heads]?) -> o [t, heads d]; attributes
// kv_heads, head_dim, scale, window (0: all), kv_format "bf16" or "int8".
Status bind_paged_attention(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 7 || desc.outputs.size() != 1)
        return invalid(
            "paged_attention takes counts, q, pool, block_table, first_token, lengths, "
            "sinks and gives o");
    const std::string format = desc.attributes.text("kv_format", "bf16");
    if (format != "bf16" && format != "int8")
        return invalid("paged_attention: kv_format \"%s\" is neither bf16 nor int8",
                       format.c_str());
    auto params = std::make_shared<AttentionParams>();
    PagedAttentionArgs& args = params->args = {};
    params->kv_heads = desc.attributes.integer("kv_heads", 0);
    args.window = desc.attributes.integer("window", 0);
    args.block = {desc.attributes.integer("head_dim", 0), format == "int8"};
    const int64_t width = params->kv_heads * args.block.head_dim;
    if (width < 1 || desc.in(kQ).rank != 2 || desc.in(kQ).shape[1] % width)
        return invalid(
            "paged_attention: q must be float32 [t, heads * head_dim], heads a multiple "
            "of kv_heads");
    args.heads = desc.in(kQ).shape[1] / width;
    args.block_bytes = args.block.bytes(params->kv_heads);
    args.scale = static_cast<float>(desc.attributes.real("scale", 1.0) * kLog2E);
    const Status status = check(desc, *params);
    if (!status.ok) return status;
    const char* function = format == "int8" ? "paged_attention_int8" : "paged_attention_bf16";
    params->kernel = select<PagedAttention>(kKernels, function, desc.allowed, &bound->kernel);
    args.q_token = desc.in(kQ).strides[0];
    args.o_token = desc.out(0).strides[0];
    params->table_row = desc.in(kBlockTable).strides[0];
    bound->params = params;
    bound->run = run_paged_attention;
    bound->cost = cost_of_paged_attention;
    state_cost(bound, largest_cost(desc, *params));
    bound->worker_scratch_bytes =
        static_cast<size_t>(attention_scratch(args.block.head_dim)) * sizeof(float);
    return {};
}

const OpEntry kOps[] = {{"paged_attention", bind_paged_attention}};

}  // namespace

Family paged_attention_family() { return make_family("paged_attention", kOps, kKernels); }

}  // namespace hades
