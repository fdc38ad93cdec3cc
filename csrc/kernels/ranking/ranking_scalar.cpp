#include <cstring>

#include "kernels/ranking/ranking.h"
#include "simd/storage.h"

// An element becomes an unsigned key that ascends in the order wanted, followed by its position:
// entries are ranked by comparing integers, and no two are equal. The best k so far are a heap
// whose root is the last of them, which a later element has to beat; most do not. Sorted at the
// end.
namespace hades::HADES_ISA {
namespace {

template <class Stored>
using Bits = std::conditional_t<
    sizeof(Stored) == 8, uint64_t,
    std::conditional_t<sizeof(Stored) == 4, uint32_t,
                       std::conditional_t<sizeof(Stored) == 2, uint16_t, uint8_t>>>;

// Ascends as the elements do; zeros of either sign are equal, no number is above infinity.
template <class Stored>
HADES_INLINE Bits<Stored> ascending(Stored element) {
    using B = Bits<Stored>;
    constexpr auto kTop = static_cast<B>(B{1} << (8 * sizeof(B) - 1));
    const auto value = typed::decode(element);
    using T = decltype(value);
    B bits;
    std::memcpy(&bits, &element, sizeof bits);
    if constexpr (typed::kDomain<Stored> == kFloating) {
        if (value != value) return static_cast<B>(~B{0});
        if ((bits & static_cast<B>(~kTop)) == 0) return kTop;
        return static_cast<B>(bits & kTop ? ~bits : bits | kTop);
    } else if constexpr (typed::kDomain<Stored> == kBoolean) {
        return value ? 1 : 0;
    } else {
        return typed::kIsSigned<std::remove_const_t<T>> ? static_cast<B>(bits ^ kTop) : bits;
    }
}

struct Entry {
    uint64_t key, position;
    bool operator<(const Entry& other) const {
        return key < other.key || (key == other.key && position < other.position);
    }
};
static_assert(sizeof(Entry) == kRankingEntry, "scratch is counted in entries");

// Lets the entry at `root` sink until no child of it is larger.
void sink(Entry* heap, int64_t root, int64_t count) {
    const Entry sinking = heap[root];
    for (;;) {
        int64_t child = 2 * root + 1;
        if (child >= count) break;
        if (child + 1 < count && heap[child] < heap[child + 1]) ++child;
        if (!(sinking < heap[child])) break;
        heap[root] = heap[child];
        root = child;
    }
    heap[root] = sinking;
}

void sort_heap(Entry* heap, int64_t count) {
    for (int64_t last = count - 1; last > 0; --last) {
        const Entry largest = heap[0];
        heap[0] = heap[last];
        heap[last] = largest;
        sink(heap, 0, last);
    }
}

template <class Stored>
void rank_line(const RankingArgs& a) {
    using B = Bits<Stored>;
    const auto* x = static_cast<const Stored*>(a.x);
    auto* const best = static_cast<Entry*>(a.scratch);
    const B flip = a.largest ? static_cast<B>(~B{0}) : B{0};
    const auto key_of = [&](int64_t i) {
        return static_cast<B>(ascending(x[i * a.x_stride]) ^ flip);
    };
    for (int64_t i = 0; i < a.k; ++i) best[i] = {key_of(i), static_cast<uint64_t>(i)};
    for (int64_t root = a.k / 2; root-- > 0;) sink(best, root, a.k);
    for (int64_t i = a.k; i < a.n; ++i) {
        const B key = key_of(i);
        if (key >= best[0].key) continue;  // of equals, those before it stay
        best[0] = {key, static_cast<uint64_t>(i)};
        sink(best, 0, a.k);
    }
    sort_heap(best, a.k);
    for (int64_t i = 0; i < a.k; ++i) {
        const auto position = static_cast<int64_t>(best[i].position);
        static_cast<Stored*>(a.values)[i * a.value_stride] = x[position * a.x_stride];
        a.positions[i * a.position_stride] = position;
    }
}

}  // namespace

Rank* rank(DType dtype) {
    return typed::visit(dtype,
                        [](auto tag) -> Rank* { return rank_line<typename decltype(tag)::type>; });
}

}  // namespace hades::HADES_ISA
