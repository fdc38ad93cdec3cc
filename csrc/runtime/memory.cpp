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

}  // namespace

void FreeBlock::operator()(void* block) const { std::free(block); }

Block allocate_block(size_t bytes) {
    if (bytes == 0) return nullptr;
    // Large blocks come fresh from the kernel: already zero, and not touched before they are used.
    const bool is_large = bytes >= 2 * kHugePage;
    const size_t alignment = is_large ? kHugePage : kCacheLine;
    const size_t size = round_up(bytes, kCacheLine);
    void* block = std::aligned_alloc(alignment, round_up(size, alignment));
    if (!block) throw std::bad_alloc();
    if (is_large)
        madvise(block, size, MADV_HUGEPAGE);
    else
        std::memset(block, 0, size);
    return Block(block);
}

void release_file_pages(const void* begin, size_t bytes) {
    const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    const uintptr_t first = round_up(reinterpret_cast<uintptr_t>(begin), page);
    const uintptr_t last = (reinterpret_cast<uintptr_t>(begin) + bytes) / page * page;
    if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace hades
