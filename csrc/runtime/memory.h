#pragma once
#include <cstddef>
#include <memory>

namespace hades {

struct FreeBlock {
    void operator()(void* block) const;
};

// Zeroed memory on a cache line boundary, on huge pages where it is large; nullptr for 0 bytes.
// Throws std::bad_alloc.
using Block = std::unique_ptr<void, FreeBlock>;
Block allocate_block(size_t bytes);

// Lets the kernel drop the whole pages inside a read-only mapping of a file; they come back when
// read.
void release_file_pages(const void* begin, size_t bytes);

}  // namespace hades
