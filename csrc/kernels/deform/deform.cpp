#include "kernels/deform/deform.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/epilogue_attributes.h"
#include "base/rounding.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/deform/deform.inc"
#undef HADES_KERNEL
};

constexpr int64_t kSamples = 288;    // per pixel, in scratch at once, where a tap has fewer
constexpr int64_t kScratch = 32768;  // floats of samples that share the second-level cache
constexpr int64_t kChunks = 16;      // enough to balance a few threads
constexpr int64_t kLargestExtent = int64_t{1} << 24;  // whole numbers of float32
constexpr int64_t kLargestStep = int64_t{1} << 31;

// Panels of weights, [group][panel][tap, input channel][width]: a panel is as wide as a register
// tile, the last one as its output channels need in whole vectors, with zeros beyond them.
struct DeformPacking {
    int64_t groups, ic, oc, taps, lanes, width;

    size_t bytes() const {
        return static_cast<size_t>(groups * round_up(oc, lanes) * taps * ic) * sizeof(float);
    }
    std::string layout() const {
        std::string text = "deform_conv_f32 panels";
        for (const int64_t number : {groups, ic, oc, taps, lanes, width})
            text += " " + std::to_string(number);
        return text;
    }
    void pack_group(int64_t group, const float* w, float* packed) const;
};

// From w [groups * oc, ic, taps].
void DeformPacking::pack_group(int64_t group, const float* w, float* packed) const {
    w += group * oc * ic * taps;
    packed += group * round_up(oc, lanes) * taps * ic;
    for (int64_t first = 0; first < oc; first += width) {
        const int64_t count = std::min(width, oc - first), padded = round_up(count, lanes);
        for (int64_t tap = 0; tap < taps; ++tap)
            for (int64_t c = 0; c < ic; ++c, packed += padded)
                for (int64_t o = 0; o < padded; ++o)
                    packed[o] = o < count ? w[((first + o) * ic + c) * taps + tap] : 0.0f;
    }
}

struct DeformParams {
    DeformKernel kernel;
    DeformShape shape;
    DeformPacking packing;
    int64_t images, x_image, offset_image, mask_image, y_image;
    int64_t pixels_per_chunk, chunks_per_image, taps_at_once, pitch;
    bool packs_per_run;
};

const float* image_of(const void* data, int64_t offset) {
    return data ? static_cast<const float*>(data) + offset : nullptr;
}

void run_deform(const void* params, void* const* operands, Worker& worker) {
    const auto& deform = *static_cast<const DeformParams*>(params);
    const float* weights = static_cast<const float*>(operands[1]);
    if (deform.packs_per_run) {
        auto* packed = static_cast<float*>(worker.shared);
        parallel_for(worker, deform.packing.groups,
                     [&](int64_t group) { deform.packing.pack_group(group, weights, packed); });
        sync(worker);
        weights = packed;
    }
    parallel_for(worker, deform.images * deform.chunks_per_image, [&](int64_t index) {
        const int64_t image = index / deform.chunks_per_image;
        const int64_t pixels = deform.shape.out_height * deform.shape.out_width;
        DeformArgs args;
        args.shape = &deform.shape;
        args.first = index % deform.chunks_per_image * deform.pixels_per_chunk;
        args.count = std::min(deform.pixels_per_chunk, pixels - args.first);
        args.taps_at_once = deform.taps_at_once;
        args.x = image_of(operands[0], image * deform.x_image);
        args.offset = image_of(operands[2], image * deform.offset_image);
        args.mask = image_of(operands[4], image * deform.mask_image);
        args.w = weights;
        args.bias = static_cast<const float*>(operands[3]);
        args.y = static_cast<float*>(operands[5]) + image * deform.y_image +
                 args.first * deform.shape.y_pixel;
        args.scratch = static_cast<float*>(worker.scratch);
        args.pitch = deform.pitch;
        deform.kernel.run(args);
    });
}

void pack_weights(const void* params, const void* source, void* packed) {
    const DeformPacking& packing = static_cast<const DeformParams*>(params)->packing;
    for (int64_t group = 0; group < packing.groups; ++group)
        packing.pack_group(group, static_cast<const float*>(source), static_cast<float*>(packed));
}

Status check_operands(const OpDesc& desc) {
    if (desc.inputs.size() != 5 || desc.outputs.size() != 1 || !desc.has(0) || !desc.has(1) ||
        !desc.has(2))
        return invalid("deform_conv2d takes x, w, offset, bias, mask and gives y");
    const Tensor &x = desc.in(0), &w = desc.in(1), &y = desc.out(0);
    for (size_t i = 0; i < 5; ++i)
        if (desc.has(i) && desc.in(i).dtype != DType::f32)
            return invalid("deform_conv2d: operand %d must be float32", static_cast<int>(i));
    if (x.rank != 4 || w.rank != 4 || y.rank != 4 || desc.in(2).rank != 4 ||
        (desc.has(4) && desc.in(4).rank != 4) || y.dtype != DType::f32)
        return invalid("deform_conv2d: x, w, offset, mask and y must have four axes");
    if (!is_contiguous(w) || element_count(w) == 0)
        return invalid("deform_conv2d: w must be contiguous [o, c / groups, kh, kw]");
    const bool x_last = x.shape[1] == 1 || x.strides[1] == 1;
    const bool y_last = y.shape[1] == 1 || y.strides[1] == 1;
    const bool y_joined = y.shape[2] == 1 || y.strides[2] == y.shape[3] * y.strides[3];
    if (element_count(y) > 0 && !(x_last && y_last && y_joined))
        return invalid("deform_conv2d: x and y must be channels-last");
    if (x.shape[0] != y.shape[0] || w.shape[0] != y.shape[1])
        return invalid("deform_conv2d: y must have the images of x and the channels of w");
    if (desc.has(3) &&
        (desc.in(3).rank != 1 || desc.in(3).shape[0] != y.shape[1] || !is_contiguous(desc.in(3))))
        return invalid("deform_conv2d: bias must be contiguous [%lld]",
                       static_cast<long long>(y.shape[1]));
    return {};
}

bool is_field(const Tensor& t, const Tensor& y, int64_t channels) {
    return t.shape[0] == y.shape[0] && t.shape[1] == channels && t.shape[2] == y.shape[2] &&
           t.shape[3] == y.shape[3];
}

Status read_groups(const OpDesc& desc, DeformShape* s) {
    const Tensor &x = desc.in(0), &w = desc.in(1), &y = desc.out(0);
    s->groups = desc.attributes.integer("groups", 1);
    s->offset_groups = desc.attributes.integer("offset_groups", 1);
    if (s->groups < 1 || w.shape[1] * s->groups != x.shape[1] || w.shape[0] % s->groups != 0)
        return invalid("deform_conv2d: groups=%lld does not fit x and w",
                       static_cast<long long>(s->groups));
    if (s->offset_groups < 1 || x.shape[1] % s->offset_groups != 0)
        return invalid("deform_conv2d: offset_groups=%lld must divide %lld channels",
                       static_cast<long long>(s->offset_groups),
                       static_cast<long long>(x.shape[1]));
    s->ic = w.shape[1], s->oc = w.shape[0] / s->groups;
    s->kernel_h = w.shape[2], s->kernel_w = w.shape[3];
    const int64_t planes = s->offset_groups * s->taps();
    if (!is_field(desc.in(2), y, 2 * planes))
        return invalid("deform_conv2d: offset must be [n, %lld, oh, ow]",
                       static_cast<long long>(2 * planes));
    if (desc.has(4) && !is_field(desc.in(4), y, planes))
        return invalid("deform_conv2d: mask must be [n, %lld, oh, ow]",
                       static_cast<long long>(planes));
    return {};
}

Status read_window(const OpDesc& desc, DeformShape* s) {
    const std::vector<int64_t> strides = desc.attributes.integers("strides", {1, 1});
    const std::vector<int64_t> pads = desc.attributes.integers("pads", {0, 0, 0, 0});
    const std::vector<int64_t> dilations = desc.attributes.integers("dilations", {1, 1});
    if (strides.size() != 2 || pads.size() != 4 || dilations.size() != 2)
        return invalid("deform_conv2d takes 2 strides, 4 pads and 2 dilations");
    for (const int64_t value : {strides[0], strides[1], dilations[0], dilations[1]})
        if (value < 1 || value >= kLargestStep)
            return invalid("deform_conv2d: strides and dilations must be at least 1");
    for (const int64_t pad : pads)
        if (pad < 0 || pad >= kLargestStep)
            return invalid("deform_conv2d: pads must not be negative");
    s->stride_h = strides[0], s->stride_w = strides[1];
    s->dilation_h = dilations[0], s->dilation_w = dilations[1];
    s->pad_top = pads[0], s->pad_left = pads[1];
    const Tensor &x = desc.in(0), &y = desc.out(0);
    s->height = x.shape[2], s->width = x.shape[3];
    s->out_height = y.shape[2], s->out_width = y.shape[3];
    if (s->height > kLargestExtent || s->width > kLargestExtent)
        return invalid("deform_conv2d: x is larger than 2^24 pixels along an axis");
    return {};
}

void read_strides(const OpDesc& desc, DeformParams* params) {
    DeformShape& s = params->shape;
    const Tensor &x = desc.in(0), &offset = desc.in(2), &y = desc.out(0);
    params->images = x.shape[0];
    params->x_image = x.strides[0], params->y_image = y.strides[0];
    params->offset_image = offset.strides[0];
    s.x_row = x.strides[2], s.x_pixel = x.strides[3];
    s.y_pixel = y.shape[3] > 1 ? y.strides[3] : y.shape[2] > 1 ? y.strides[2] : y.shape[1];
    s.offset_channel = offset.strides[1], s.offset_row = offset.strides[2];
    s.offset_pixel = offset.strides[3];
    if (desc.has(4)) {
        const Tensor& mask = desc.in(4);
        params->mask_image = mask.strides[0];
        s.mask_channel = mask.strides[1], s.mask_row = mask.strides[2];
        s.mask_pixel = mask.strides[3];
    }
}

void plan_chunks(DeformParams* params) {
    const DeformShape& s = params->shape;
    const int64_t rows = params->kernel.rows, pixels = s.out_height * s.out_width;
    params->taps_at_once = std::min(std::max<int64_t>(1, kSamples / s.ic), s.taps());
    const int64_t samples = params->taps_at_once * s.ic;
    // One cache line more than a power of two, so that the rows of a tile do not evict each other.
    params->pitch = round_up(samples, 16) + 16;
    int64_t tiles =
        std::min(kDeformPixels / rows, std::max<int64_t>(1, kScratch / (samples * rows)));
    while (tiles > 1 && params->images * ceil_div(pixels, tiles * rows) < kChunks) --tiles;
    params->pixels_per_chunk = tiles * rows;
    params->chunks_per_image = ceil_div(pixels, params->pixels_per_chunk);
}

// deform_conv2d(x, w, offset, bias?, mask?) -> y; attributes strides, pads, dilations, groups,
// offset_groups, epilogue.
Status bind_deform_conv2d(const OpDesc& desc, BoundOp* bound) {
    auto params = std::make_shared<DeformParams>();
    params->shape = {};
    params->mask_image = 0;
    if (Status status = check_operands(desc); !status.ok) return status;
    if (Status status = read_groups(desc, &params->shape); !status.ok) return status;
    if (Status status = read_window(desc, &params->shape); !status.ok) return status;
    if (Status status = read_epilogue(desc, &params->shape.epilogue); !status.ok) return status;
    const Tensor &x = desc.in(0), &y = desc.out(0);
    if (element_count(y) == 0) {
        bound->run = run_nothing;
        return {};
    }
    if (element_count(x) == 0) return invalid("deform_conv2d: x is empty");
    read_strides(desc, params.get());
    auto* provider =
        select<DeformProvider>(kKernels, "deform_conv_f32", desc.allowed, &bound->kernel);
    params->kernel = provider();
    plan_chunks(params.get());
    const DeformShape& s = params->shape;
    const int64_t lanes = params->kernel.lanes;
    params->packing = {s.groups, s.ic, s.oc, s.taps(), lanes, lanes * params->kernel.panel_vectors};
    params->packs_per_run = desc.inputs[1].constant == nullptr;
    if (params->packs_per_run)
        bound->shared_scratch_bytes = params->packing.bytes();
    else
        bound->packs.push_back(
            {1, params->packing.layout(), params->packing.bytes(), pack_weights});
    bound->worker_scratch_bytes =
        static_cast<size_t>(params->pixels_per_chunk * (params->pitch + round_up(s.oc, lanes))) *
        sizeof(float);
    bound->run = run_deform;
    bound->params = params;
    const auto outputs = static_cast<double>(element_count(y));
    bound->flops = 2.0 * outputs * static_cast<double>(s.depth());
    bound->bytes = sizeof(float) *
                   (outputs + static_cast<double>(element_count(x) + element_count(desc.in(1)) +
                                                  element_count(desc.in(2))));
    return {};
}

const OpEntry kOps[] = {{"deform_conv2d", bind_deform_conv2d}};

}  // namespace

Family deform_family() { return make_family("deform", kOps, kKernels); }

}  // namespace hades
