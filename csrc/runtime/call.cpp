#include "runtime/call.h"

#include <utility>

namespace hades {
namespace {

struct Call {
    const BoundOp* bound;
    void* const* operands;
};

void run_call(void* data, int, Worker& worker) {
    const Call& call = *static_cast<const Call*>(data);
    call.bound->run(call.bound->params.get(), call.operands, worker);
}

}  // namespace

void call(const BoundOp& bound, std::vector<void*> operands, const std::vector<bool>& is_packed,
          Team& team) {
    std::vector<Block> packed;
    for (const PackRequest& request : bound.packs) {
        if (is_packed[request.input]) continue;
        packed.push_back(allocate_block(request.bytes));
        request.pack(bound.params.get(), operands[request.input], packed.back().get());
        operands[request.input] = packed.back().get();
    }
    Call call{&bound, operands.data()};
    team.run({run_call, [](void*, int) { return true; }, &call}, bound.worker_scratch_bytes,
             bound.shared_scratch_bytes);
}

}  // namespace hades
