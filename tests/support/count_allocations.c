/* Preloaded by tests: counts what a process asks of malloc (glibc). */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);

#define LARGE (512 << 10)

static atomic_long allocations, large;

long count_allocations(void) { return atomic_load(&allocations); }

/* Those of LARGE bytes or more. */
long count_large_allocations(void) { return atomic_load(&large); }

static void note(size_t size) {
    atomic_fetch_add(&allocations, 1);
    if (size >= LARGE) atomic_fetch_add(&large, 1);
}

void* malloc(size_t size) {
    note(size);
    return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
    note(count * size);
    return __libc_calloc(count, size);
}
void* realloc(void* block, size_t size) {
    note(size);
    return __libc_realloc(block, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
    note(size);
    return __libc_memalign(alignment, size);
}
int posix_memalign(void** block, size_t alignment, size_t size) {
    note(size);
    *block = __libc_memalign(alignment, size);
    return *block ? 0 : ENOMEM;
}
