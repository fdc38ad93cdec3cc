#include "kernels/roi/roi.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/operand_shapes.h"
#include "base/rounding.h"
#include "kernels/families.h"

namespace hades {
namespace {

const KernelEntry kKernels[] = {
#define HADES_KERNEL HADES_KERNEL_ENTRY
#include "kernels/roi/roi.inc"
#undef HADES_KERNEL
};

constexpr int64_t kLargestExtent = int64_t{1} << 24;  // whole numbers of float32

struct RoiParams {
    RoiRow* kernel;
    RoiRowArgs row;
    int64_t images, regions;
    int64_t x_image, y_region, y_row;
    int64_t box_region, box_number;  // elements between boxes, and between their numbers
    bool image_in_box;               // the number of the image stands before the box
};

// Which image a region is of; -1 for none, which gives zeros.
int64_t image_of(const RoiParams& roi, int64_t region, const float* box, const void* indices) {
    int64_t image = -1;
    if (!roi.image_in_box)
        image = static_cast<const int64_t*>(indices)[region];
    else if (*box >= 0.0f && *box < static_cast<float>(kLargestExtent))
        image = static_cast<int64_t>(*box);
    return image >= 0 && image < roi.images ? image : -1;
}

void run_roi(const void* params, void* const* operands, Worker& worker) {
    const auto& roi = *static_cast<const RoiParams*>(params);
    const size_t output = roi.image_in_box ? 2 : 3;
    const int64_t bins = roi.row.vertical.bins;
    parallel_for(worker, roi.regions * bins, [&](int64_t index) {
        const int64_t region = index / bins;
        const float* box = static_cast<const float*>(operands[1]) + region * roi.box_region;
        const int64_t image = image_of(roi, region, box, operands[2]);
        RoiRowArgs row = roi.row;
        row.row = index % bins;
        row.y = static_cast<float*>(operands[output]) + region * roi.y_region + row.row * roi.y_row;
        if (image < 0) {
            for (int64_t bin = 0; bin < row.horizontal.bins; ++bin)
                std::fill_n(row.y + bin * row.y_bin, row.channels, 0.0f);
            return;
        }
        row.x = static_cast<const float*>(operands[0]) + image * roi.x_image;
        for (int i = 0; i < 4; ++i) row.box[i] = box[(i + roi.image_in_box) * roi.box_number];
        roi.kernel(row);
    });
}

Status check_operands(const OpDesc& desc, int64_t numbers) {
    const char* op = desc.op.c_str();
    const Tensor &x = desc.in(0), &rois = desc.in(1), &y = desc.out(0);
    if (x.dtype != DType::f32 || rois.dtype != DType::f32 || y.dtype != DType::f32)
        return invalid("%s: x, rois and y must be float32", op);
    if (x.rank != 4 || y.rank != 4 || x.shape[1] != y.shape[1])
        return invalid("%s: x and y must be [n, c, h, w] of as many channels", op);
    if (rois.rank != 2 || rois.shape[1] != numbers || rois.shape[0] != y.shape[0])
        return invalid("%s: rois must be [%lld, %lld]", op, static_cast<long long>(y.shape[0]),
                       static_cast<long long>(numbers));
    if (element_count(y) == 0) return {};
    if (x.shape[1] > 1 && (x.strides[1] != 1 || y.strides[1] != 1))
        return invalid("%s: x and y must be channels-last", op);
    if (element_count(x) == 0) return invalid("%s: x is empty", op);
    if (std::max(x.shape[2], x.shape[3]) > kLargestExtent)
        return invalid("%s: x is larger than 2^24 pixels along an axis", op);
    return {};
}

Status bind_roi(const OpDesc& desc, const char* function, bool image_in_box, BoundOp* bound) {
    if (Status status = check_operands(desc, image_in_box ? 5 : 4); !status.ok) return status;
    const Tensor &x = desc.in(0), &rois = desc.in(1), &y = desc.out(0);
    auto params = std::make_shared<RoiParams>();
    RoiRowArgs& row = params->row;
    row = {};
    const double scale = desc.attributes.real("scale", 1.0);
    row.sampling_ratio = desc.attributes.integer("sampling_ratio", 0);
    if (!std::isfinite(scale)) return invalid("%s: scale is not finite", desc.op.c_str());
    if (row.sampling_ratio < 0 || row.sampling_ratio > (1 << 16))
        return invalid("%s: sampling_ratio must be between 0 and 65536", desc.op.c_str());
    if (element_count(y) == 0) {
        bound->run = run_nothing;
        return {};
    }
    row.scale = static_cast<float>(scale);
    row.half_pixel = desc.attributes.integer("half_pixel", 1) != 0;
    row.channels = x.shape[1];
    row.vertical = {x.shape[2], y.shape[2], x.strides[2]};
    row.horizontal = {x.shape[3], y.shape[3], x.strides[3]};
    row.y_bin = y.strides[3];
    params->images = x.shape[0], params->regions = y.shape[0];
    params->x_image = x.strides[0];
    params->y_region = y.strides[0], params->y_row = y.strides[2];
    params->box_region = rois.strides[0], params->box_number = rois.strides[1];
    params->image_in_box = image_in_box;
    params->kernel = select<RoiRow>(kKernels, function, desc.allowed, &bound->kernel);
    bound->run = run_roi;
    bound->params = params;
    const double samples = static_cast<double>(std::max<int64_t>(1, row.sampling_ratio));
    bound->flops = 8.0 * samples * samples * static_cast<double>(element_count(y));
    bound->bytes = 4.0 * static_cast<double>(element_count(x) + element_count(y));
    return {};
}

// roi_align(x, rois [r, 4], images int64 [r]) -> y; attributes mode, sampling_ratio, scale,
// half_pixel.
Status bind_roi_align(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 3 || desc.outputs.size() != 1 || !desc.has(0) || !desc.has(1) ||
        !desc.has(2))
        return invalid("roi_align takes x, rois and images and gives y");
    if (!is_vector(desc.in(2), DType::i64) || desc.in(2).shape[0] != desc.out(0).shape[0])
        return invalid("roi_align: images must be contiguous int64 [%lld]",
                       static_cast<long long>(desc.out(0).shape[0]));
    const std::string mode = desc.attributes.text("mode", "average");
    if (mode != "average" && mode != "max")
        return invalid("roi_align: mode \"%s\" is none of average, max", mode.c_str());
    return bind_roi(desc, mode == "max" ? "roi_align_max_f32" : "roi_align_average_f32", false,
                    bound);
}

// roi_max_pool(x, rois [r, 5]) -> y; attribute scale.
Status bind_roi_max_pool(const OpDesc& desc, BoundOp* bound) {
    if (desc.inputs.size() != 2 || desc.outputs.size() != 1 || !desc.has(0) || !desc.has(1))
        return invalid("roi_max_pool takes x and rois and gives y");
    return bind_roi(desc, "roi_max_pool_f32", true, bound);
}

const OpEntry kOps[] = {{"roi_align", bind_roi_align}, {"roi_max_pool", bind_roi_max_pool}};

}  // namespace

Family roi_family() { return make_family("roi", kOps, kKernels); }

}  // namespace hades
