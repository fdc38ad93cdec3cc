#include "kernels/suppression/suppression.h"

#include "base/operand_shapes.h"
#include "base/registry.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/suppression/suppression.inc"
#undef HADES_KERNEL
};

constexpr int64_t kColumns = 5;  // of SuppressArgs::kept

struct SuppressionParams {
    Suppress* kernel;
    int64_t entries, classes, n, room;
    int64_t boxes_entry, box, scores_entry, scores_class;
    bool centred;
};

void run_suppress(const void* params, void* const* operands, Worker& worker) {
    const auto& s = *static_cast<const SuppressionParams*>(params);
    const int64_t most = *static_cast<const int64_t*>(operands[2]);
    const auto* least = static_cast<const float*>(operands[4]);
    parallel_for(worker, s.entries * s.classes, [&](int64_t at) {
        const int64_t entry = at / s.classes, number = at % s.classes;
        SuppressArgs args = {};
        args.boxes = static_cast<const float*>(operands[0]) + entry * s.boxes_entry;
        args.scores = static_cast<const float*>(operands[1]) + entry * s.scores_entry +
                      number * s.scores_class;
        args.n = s.n;
        args.box = s.box;
        args.centred = s.centred;
        args.overlap = *static_cast<const float*>(operands[3]);
        args.has_least = least != nullptr;
        args.least = least ? *least : 0.0f;
        args.most = most < s.room ? most : s.room;
        args.order = static_cast<int32_t*>(worker.scratch);
        args.kept = reinterpret_cast<float*>(args.order + s.n);
        args.room = s.room;
        args.chosen = static_cast<int64_t*>(operands[5]) + at * s.room;
        const int64_t kept = s.kernel(args);
        static_cast<int64_t*>(operands[6])[at] = kept;
        for (int64_t i = kept; i < s.room; ++i) args.chosen[i] = -1;
    });
}

bool is_number(const Tensor& t, DType dtype) { return is_vector(t, dtype) && t.shape[0] == 1; }

bool is_cube(const Tensor& t, DType dtype) {
    return t.dtype == dtype && t.rank == 3 && (t.strides[2] == 1 || t.shape[2] == 1);
}

Status check_suppress(const OpDesc& desc) {
    if (desc.inputs.size() != 5 || desc.outputs.size() != 2)
        return invalid(
            "suppress takes boxes, scores, most, overlap, least and gives chosen, counts");
    const Tensor &boxes = desc.in(0), &scores = desc.in(1);
    if (!is_cube(boxes, DType::f32) || boxes.shape[2] != 4)
        return invalid("suppress: boxes must be float32 [b, n, 4]");
    if (!is_cube(scores, DType::f32) || scores.shape[0] != boxes.shape[0] ||
        scores.shape[2] != boxes.shape[1])
        return invalid("suppress: scores must be float32 [%ld, c, %ld]", long(boxes.shape[0]),
                       long(boxes.shape[1]));
    if (boxes.shape[1] > INT32_MAX) return invalid("suppress: more boxes than int32 can count");
    if (!is_number(desc.in(2), DType::i64) || !is_number(desc.in(3), DType::f32) ||
        (desc.has(4) && !is_number(desc.in(4), DType::f32)))
        return invalid("suppress: most must be int64 [1], overlap and least float32 [1]");
    const Tensor &chosen = desc.out(0), &counts = desc.out(1);
    if (chosen.dtype != DType::i64 || chosen.rank != 3 || !is_contiguous(chosen) ||
        chosen.shape[0] != scores.shape[0] || chosen.shape[1] != scores.shape[1] ||
        chosen.shape[2] > scores.shape[2])
        return invalid("suppress: chosen must be int64 [b, c, most], most at most n");
    if (counts.dtype != DType::i64 || counts.rank != 2 || !is_contiguous(counts) ||
        counts.shape[0] != scores.shape[0] || counts.shape[1] != scores.shape[1])
        return invalid("suppress: counts must be int64 [b, c]");
    return {};
}

// suppress(boxes [b, n, 4], scores [b, c, n], most [1], overlap [1], least [1]?)
//     -> chosen [b, c, room], counts [b, c].
Status bind_suppress(const OpDesc& desc, BoundOp* bound) {
    const Status status = check_suppress(desc);
    if (!status.ok) return status;
    const Tensor &boxes = desc.in(0), &scores = desc.in(1);
    auto params = std::make_shared<SuppressionParams>();
    params->kernel = select<Suppress>(kKernels, "suppress_f32", desc.allowed, &bound->kernel);
    params->entries = scores.shape[0];
    params->classes = scores.shape[1];
    params->n = scores.shape[2];
    params->room = desc.out(0).shape[2];
    params->boxes_entry = boxes.strides[0];
    params->box = boxes.strides[1];
    params->scores_entry = scores.strides[0];
    params->scores_class = scores.strides[1];
    params->centred = desc.attributes.integer("centred", 0) != 0;
    bound->worker_scratch_bytes = static_cast<size_t>(params->n) * sizeof(int32_t) +
                                  static_cast<size_t>(kColumns * params->room) * sizeof(float);
    const auto pairs = static_cast<double>(element_count(scores));
    bound->flops = 16.0 * pairs;
    bound->bytes = 4.0 * (pairs + static_cast<double>(element_count(boxes))) +
                   8.0 * static_cast<double>(element_count(desc.out(0)));
    bound->params = params;
    bound->run = run_suppress;
    return {};
}

const OpEntry kOps[] = {{"suppress", bind_suppress}};

}  // namespace

Family suppression_family() { return make_family("suppression", kOps, kKernels); }

}  // namespace hades
