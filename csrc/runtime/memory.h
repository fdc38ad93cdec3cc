#pragma once
#include <cstddef>
#include <memory>

namespace hades {

struct FreeBlock {
    size_t mapped = 0;  // bytes of a mapping of its own; 0 for memory of the C library

    void operator()(void* block) const;
};

// Zeroed memory on a cache line boundary; nullptr for 0 bytes. Large blocks are mappings of their
// own, on huge pages: nobody has touched them, so they come to lie on the node of the thread that
// does first, and all of a freed one goes back to the kernel.
// Throws std::bad_alloc.
using Block = std::unique_ptr<void, FreeBlock>;
Block allocate_block(size_t bytes);

// Lets the kernel drop the whole pages inside a read-only mapping of a file; they come back when
// read.
void release_file_pages(const void* begin, size_t bytes);

}  // namespace hades
