#include "runtime/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/rounding.h"

namespace hades {
namespace {

constexpr size_t kCacheLine = 64;
constexpr size_t kHugePage = size_t{2} << 20;
#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kLarge = SIZE_MAX;  // the sanitizer guards what the C library gives alone
#else
constexpr size_t kLarge = 2 * kHugePage;
#endif

size_t page_size() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

// Pages on a huge page's boundary: cut out of a mapping that is larger by one huge page.
Block map_block(size_t bytes) {
    if (bytes > SIZE_MAX - 2 * kHugePage) throw std::bad_alloc();
    const size_t size = round_up(bytes, page_size());
    const size_t reserved = size + kHugePage;
    void* const mapping =
        mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) throw std::bad_alloc();
    char* const begin = static_cast<char*>(mapping);
    const size_t before = round_up(reinterpret_cast<uintptr_t>(begin), kHugePage) -
                          reinterpret_cast<uintptr_t>(begin);
    const size_t after = reserved - before - size;
    char* const block = begin + before;
    if (before) munmap(begin, before);
    if (after) munmap(block + size, after);
    madvise(block, size, MADV_HUGEPAGE);  // a kernel without them gives small pages
    return Block(block, FreeBlock{size});
}

Block heap_block(size_t bytes) {
    if (bytes > SIZE_MAX - kCacheLine) throw std::bad_alloc();
    const size_t size = round_up(bytes, kCacheLine);
    void* const block = std::aligned_alloc(kCacheLine, size);
    if (!block) throw std::bad_alloc();
    std::memset(block, 0, size);
    return Block(block);
}

}  // namespace

void FreeBlock::operator()(void* block) const {
    if (mapped)
        munmap(block, mapped);
    else
        std::free(block);
}

Block allocate_block(size_t bytes) {
    if (bytes == 0) return nullptr;
    return bytes >= kLarge ? map_block(bytes) : heap_block(bytes);
}

void release_file_pages(const void* begin, size_t bytes) {
    const size_t page = page_size();
    const uintptr_t first = round_up(reinterpret_cast<uintptr_t>(begin), page);
    const uintptr_t last = (reinterpret_cast<uintptr_t>(begin) + bytes) / page * page;
    if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace hades
