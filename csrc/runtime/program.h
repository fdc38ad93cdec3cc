#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/op.h"
#include "runtime/constant_store.h"

namespace hades {

// What happens to the source of a constant. Copied sources may go away once the program is built,
// and the pages of a file are given back. A resident one is used where it lies, and outlives the
// program.
enum class Source { memory, file, resident };

// Where an operand lies: in the arena of the context, in a constant, or in a buffer bound per run.
struct Slot {
    enum class Kind { arena, constant, io };
    Kind kind = Kind::arena;
    std::string name;
    size_t bytes = 0;
    const void* source = nullptr;  // of a constant; unless resident, until the program is built
    Source source_kind = Source::memory;
    bool is_written = false;                  // some instruction has its output here
    std::shared_ptr<const Constant> content;  // of a constant that is used as it is
};

struct Placement {
    int slot = -1;  // -1: omitted
    int64_t offset = 0;
    std::shared_ptr<const Constant> packed;  // takes the place of the slot's content
};

struct Instruction {
    std::string op;
    std::string label;
    BoundOp bound;
    std::vector<Placement> operands;  // inputs, then outputs
};

// A network ready to run: immutable once built, shared by any number of contexts.
class Program {
  public:
    explicit Program(IsaMask allowed);

    int add_constant(const std::string& key, const void* source, size_t bytes, Source kind);
    int add_io(const std::string& name, size_t bytes);

    // Binds `desc` (dtypes, shapes, strides and attributes are set; constants are filled in here)
    // to operands placed at (slot, byte offset); packs constants at once.
    Status emit(OpDesc desc, const std::vector<Placement>& operands, const std::string& label);

    // Fixes the size of the arena, checks that every operand lies inside its slot.
    Status finish(size_t arena_bytes);

    const std::vector<Slot>& slots() const { return slots_; }
    const std::vector<Instruction>& instructions() const { return instructions_; }
    size_t worker_scratch_bytes() const { return worker_scratch_bytes_; }
    size_t shared_scratch_bytes() const { return shared_scratch_bytes_; }
    size_t constant_bytes() const;

  private:
    Status check_extent(const Operand& operand, const Placement& placement, const char* what,
                        const std::string& label);
    void pack_constants(const OpDesc& desc, Instruction& instruction);
    void keep_plain_constants(Instruction& instruction);

    IsaMask allowed_;
    std::vector<Slot> slots_;
    std::vector<Instruction> instructions_;
    size_t arena_needed_ = 0;
    size_t worker_scratch_bytes_ = 0;
    size_t shared_scratch_bytes_ = 0;
};

}  // namespace hades
