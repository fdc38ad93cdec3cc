// Blocks of memory in a heap that others have left dirty; says what is wrong and exits with 1.
#include <malloc.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "runtime/memory.h"

namespace {

constexpr size_t kMegabyte = size_t{1} << 20;

void require(bool holds, const char* what) {
    if (holds) return;
    std::printf("%s\n", what);
    std::exit(1);
}

size_t pages_with_memory(const void* begin, size_t bytes) {
    std::vector<unsigned char> there(bytes / 4096);
    if (mincore(const_cast<void*>(begin), bytes, there.data())) return 0;
    size_t count = 0;
    for (unsigned char page : there) count += page & 1;
    return count;
}

bool is_mapped(const void* begin, size_t bytes) {
    std::vector<unsigned char> there(bytes / 4096);
    return mincore(const_cast<void*>(begin), bytes, there.data()) == 0;
}

// From now on the heap gives large memory itself, and keeps what is freed, written all over.
void leave_a_dirty_heap() {
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    void* const dirt = std::malloc(96 * kMegabyte);
    std::memset(dirt, 0xa5, 96 * kMegabyte);
    std::free(dirt);
}

bool is_zero(const void* begin, size_t bytes) {
    const auto* data = static_cast<const unsigned char*>(begin);
    for (size_t i = 0; i < bytes; ++i)
        if (data[i]) return false;
    return true;
}

void check(size_t bytes, size_t alignment) {
    const hades::Block block = hades::allocate_block(bytes);
    require(reinterpret_cast<size_t>(block.get()) % alignment == 0, "a block is not aligned");
    if (bytes >= 4 * kMegabyte)
        require(pages_with_memory(block.get(), bytes) == 0, "somebody has touched a new block");
    require(is_zero(block.get(), bytes), "a new block is not zero");
    std::memset(block.get(), 1, bytes);
}

}  // namespace

int main() {
    leave_a_dirty_heap();
    for (size_t bytes : {size_t{1}, size_t{65}, kMegabyte, 4 * kMegabyte - 1}) check(bytes, 64);
    for (size_t bytes : {4 * kMegabyte, 5 * kMegabyte + 1, 33 * kMegabyte})
        check(bytes, 2 * kMegabyte);

    hades::Block block = hades::allocate_block(32 * kMegabyte);
    void* const place = block.get();
    std::memset(place, 1, 32 * kMegabyte);
    hades::Block moved = std::move(block);
    require(is_mapped(place, 32 * kMegabyte), "a block that was moved is gone");
    moved = hades::allocate_block(64);
    require(!is_mapped(place, 32 * kMegabyte), "a freed block does not go back");

    require(!hades::allocate_block(0), "0 bytes are something");
    for (size_t bytes : {SIZE_MAX, SIZE_MAX / 4}) {
        try {
            const hades::Block none = hades::allocate_block(bytes);
            require(false, "more memory than there can be");
        } catch (const std::bad_alloc&) {
        }
    }
}
