#include "runtime/program.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "runtime/op_table.h"

namespace hades {
namespace {

// Bytes from the operand's first element to the end of its farthest, and to its nearest.
struct Extent {
    int64_t lowest = 0;
    int64_t end = 0;
};

Extent extent_of(const Tensor& t) {
    if (element_count(t) == 0) return {};
    const auto size = static_cast<int64_t>(size_of(t.dtype));
    int64_t lowest = 0, highest = 0;
    for (int axis = 0; axis < t.rank; ++axis) {
        const int64_t reach = (t.shape[axis] - 1) * t.strides[axis];
        (reach < 0 ? lowest : highest) += reach;
    }
    return {lowest * size, (highest + 1) * size};
}

}  // namespace

Program::Program(IsaMask allowed) : allowed_(allowed) {
    Slot arena;
    arena.name = "arena";
    slots_.push_back(std::move(arena));
}

int Program::add_constant(const std::string& key, const void* source, size_t bytes, Source kind) {
    Slot slot;
    slot.kind = Slot::Kind::constant;
    slot.name = key;
    slot.bytes = bytes;
    slot.source = source;
    slot.source_kind = kind;
    slots_.push_back(std::move(slot));
    return static_cast<int>(slots_.size()) - 1;
}

int Program::add_io(const std::string& name, size_t bytes) {
    Slot slot;
    slot.kind = Slot::Kind::io;
    slot.name = name;
    slot.bytes = bytes;
    slots_.push_back(std::move(slot));
    return static_cast<int>(slots_.size()) - 1;
}

Status Program::check_extent(const Operand& operand, const Placement& placement, const char* what,
                             const std::string& label) {
    if (placement.slot < 0 || placement.slot >= static_cast<int>(slots_.size()))
        return invalid("%s: %s lies in slot %d, which does not exist", label.c_str(), what,
                       placement.slot);
    const Slot& slot = slots_[placement.slot];
    const Extent extent = extent_of(operand.tensor);
    const int64_t end = placement.offset + extent.end;
    if (placement.offset + extent.lowest < 0)
        return invalid("%s: %s begins before its slot", label.c_str(), what);
    if (slot.kind == Slot::Kind::arena)
        arena_needed_ = std::max(arena_needed_, static_cast<size_t>(end));
    else if (end > static_cast<int64_t>(slot.bytes))
        return invalid("%s: %s ends at byte %lld of slot \"%.60s\", which has %zu", label.c_str(),
                       what, static_cast<long long>(end), slot.name.c_str(), slot.bytes);
    return {};
}

Status Program::emit(OpDesc desc, const std::vector<Placement>& operands,
                     const std::string& label) {
    desc.allowed = allowed_;
    const size_t inputs = desc.inputs.size();
    for (size_t i = 0; i < operands.size(); ++i) {
        const bool is_input = i < inputs;
        Operand& operand = is_input ? desc.inputs[i] : desc.outputs[i - inputs];
        if (!operand.present) continue;
        const Status status =
            check_extent(operand, operands[i], is_input ? "an input" : "an output", label);
        if (!status.ok) return status;
        Slot& slot = slots_[operands[i].slot];
        if (!is_input) slot.is_written = true;
        if (slot.kind != Slot::Kind::constant) continue;
        if (!is_input) return invalid("%s: an output lies in a constant", label.c_str());
        operand.constant = static_cast<const char*>(slot.source) + operands[i].offset;
    }

    Instruction instruction;
    instruction.op = desc.op;
    instruction.label = label;
    instruction.operands = operands;
    const Status status = bind(desc, &instruction.bound);
    if (!status.ok) return invalid("%s: %s", label.c_str(), status.message);
    for (const PackRequest& request : instruction.bound.packs)
        if (slots_[operands[request.input].slot].source_kind == Source::resident)
            return invalid("%s: input %d is resident, but %s wants it in another layout",
                           label.c_str(), request.input, instruction.bound.kernel);
    pack_constants(desc, instruction);
    keep_plain_constants(instruction);
    worker_scratch_bytes_ = std::max(worker_scratch_bytes_, instruction.bound.worker_scratch_bytes);
    shared_scratch_bytes_ = std::max(shared_scratch_bytes_, instruction.bound.shared_scratch_bytes);
    instructions_.push_back(std::move(instruction));
    return {};
}

void Program::pack_constants(const OpDesc& desc, Instruction& instruction) {
    for (const PackRequest& request : instruction.bound.packs) {
        const Operand& operand = desc.inputs[request.input];
        Placement& placement = instruction.operands[request.input];
        const Slot& slot = slots_[placement.slot];
        const std::string key =
            slot.name + "\n" + std::to_string(placement.offset) + "\n" + request.layout;
        placement.packed = shared_constant(key, request.bytes, [&](void* packed) {
            request.pack(instruction.bound.params.get(), operand.constant, packed);
        });
        if (slot.source_kind == Source::file) release_file_pages(slot.source, slot.bytes);
    }
}

// A constant that its kernel reads as it is moves into the store too: the source may go away.
void Program::keep_plain_constants(Instruction& instruction) {
    for (Placement& placement : instruction.operands) {
        if (placement.slot < 0 || placement.packed) continue;
        Slot& slot = slots_[placement.slot];
        if (slot.kind != Slot::Kind::constant || slot.content) continue;
        if (slot.source_kind == Source::resident) continue;
        slot.content = shared_constant(slot.name + "\nplain", slot.bytes, [&](void* copy) {
            std::memcpy(copy, slot.source, slot.bytes);
        });
        if (slot.source_kind == Source::file) release_file_pages(slot.source, slot.bytes);
    }
}

Status Program::finish(size_t arena_bytes) {
    if (arena_needed_ > arena_bytes)
        return invalid("the instructions need an arena of %zu bytes, not %zu", arena_needed_,
                       arena_bytes);
    slots_[0].bytes = arena_bytes;
    for (Slot& slot : slots_)
        if (slot.source_kind != Source::resident) slot.source = nullptr;
    return {};
}

size_t Program::constant_bytes() const {
    std::set<const Constant*> constants;
    for (const Slot& slot : slots_) constants.insert(slot.content.get());
    for (const Instruction& instruction : instructions_)
        for (const Placement& placement : instruction.operands)
            constants.insert(placement.packed.get());
    size_t bytes = 0;
    for (const Slot& slot : slots_)
        if (slot.source_kind == Source::resident) bytes += slot.bytes;
    for (const Constant* constant : constants) bytes += constant ? constant->bytes : 0;
    return bytes;
}

}  // namespace hades
