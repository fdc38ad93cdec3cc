#include <cstring>

#include "kernels/gather/gather.h"

namespace hades::scalar {
namespace {

// Where the loops stand: offsets of all three tensors, in elements.
struct Cursor {
    int64_t position[8];  // the dense tensor has one axis per loop
    int64_t fixed = 0, index = 0, dense = 0;

    explicit Cursor(const GatherArgs& a) {
        int64_t flat = a.first;
        for (int64_t i = a.loop_count; i-- > 0;) {
            const GatherLoop& loop = a.loops[i];
            position[i] = flat % loop.extent;
            flat /= loop.extent;
            move(loop, position[i]);
        }
    }

    void move(const GatherLoop& loop, int64_t steps) {
        fixed += steps * loop.fixed;
        index += steps * loop.index;
        dense += steps * loop.dense;
    }

    // `steps` of the innermost loop, which may end but not pass it.
    void advance(const GatherArgs& a, int64_t steps) {
        for (int64_t i = a.loop_count; i-- > 0; steps = 1) {
            const GatherLoop& loop = a.loops[i];
            move(loop, steps);
            position[i] += steps;
            if (position[i] < loop.extent) return;
            move(loop, -loop.extent);
            position[i] = 0;
        }
    }
};

// Adds the position that the index tuple names to the cursor's; false where it is out of range.
bool resolve(const GatherArgs& a, const Cursor& cursor, int64_t* offset) {
    *offset = cursor.fixed;
    for (int64_t i = 0; i < a.component_count; ++i) {
        const GatherComponent& component = a.components[i];
        const int64_t at = cursor.index + component.index;
        int64_t position = a.wide ? static_cast<const int64_t*>(a.indices)[at]
                                  : static_cast<const int32_t*>(a.indices)[at];
        if (position < 0) position += component.extent;
        if (position < 0 || position >= component.extent) return false;
        *offset += position * component.stride;
    }
    return true;
}

template <class T>
void move_run(T* to, const T* from, int64_t run) {
    if (run == 1)
        *to = *from;
    else
        std::memcpy(to, from, static_cast<size_t>(run) * sizeof(T));
}

// n tuples of one number, along the innermost loop: move(fixed, dense, inside) for each.
template <class Index, class Move>
void walk_numbers(const GatherArgs& a, const Cursor& cursor, int64_t n, const Move& move) {
    const GatherLoop& loop = a.loops[a.loop_count - 1];
    const GatherComponent& component = a.components[0];
    const Index* indices = static_cast<const Index*>(a.indices) + cursor.index + component.index;
    for (int64_t i = 0; i < n; ++i) {
        int64_t position = indices[i * loop.index];
        if (position < 0) position += component.extent;
        const bool inside = position >= 0 && position < component.extent;
        move(cursor.fixed + i * loop.fixed + position * component.stride,
             cursor.dense + i * loop.dense, inside);
    }
}

// n tuples of nothing, along the innermost loop: a copy.
template <class Move>
void walk_plain(const GatherArgs& a, const Cursor& cursor, int64_t n, const Move& move) {
    const GatherLoop& loop = a.loops[a.loop_count - 1];
    for (int64_t i = 0; i < n; ++i)
        move(cursor.fixed + i * loop.fixed, cursor.dense + i * loop.dense, true);
}

// move(fixed, dense, inside) for every tuple in order: offsets, and whether its position exists.
template <class Move>
void for_each_tuple(const GatherArgs& a, const Move& move) {
    Cursor cursor(a);
    const bool in_runs = a.component_count <= 1 && a.loop_count > 0;
    const int64_t inner = a.loop_count - 1;
    for (int64_t i = a.first; i < a.last;) {
        int64_t n = 1;
        if (in_runs) {
            n = a.loops[inner].extent - cursor.position[inner];
            if (n > a.last - i) n = a.last - i;
            if (a.component_count == 0)
                walk_plain(a, cursor, n, move);
            else if (a.wide)
                walk_numbers<int64_t>(a, cursor, n, move);
            else
                walk_numbers<int32_t>(a, cursor, n, move);
        } else {
            int64_t offset;
            const bool inside = resolve(a, cursor, &offset);
            move(offset, cursor.dense, inside);
        }
        i += n;
        cursor.advance(a, n);
    }
}

template <class T>
void gather(const GatherArgs& a) {
    const T* from = static_cast<const T*>(a.fixed);
    T* to = static_cast<T*>(a.dense);
    for_each_tuple(a, [&](int64_t fixed, int64_t dense, bool inside) {
        if (inside)
            move_run(to + dense, from + fixed, a.run);
        else
            std::memset(to + dense, 0, static_cast<size_t>(a.run) * sizeof(T));
    });
}

template <class T>
void scatter(const GatherArgs& a) {
    const T* from = static_cast<const T*>(a.dense);
    T* to = static_cast<T*>(a.fixed);
    for_each_tuple(a, [&](int64_t fixed, int64_t dense, bool inside) {
        if (inside) move_run(to + fixed, from + dense, a.run);
    });
}

struct Add {
    template <class T>
    static T apply(T a, T b) {
        return static_cast<T>(a + b);
    }
};
struct Multiply {
    template <class T>
    static T apply(T a, T b) {
        return static_cast<T>(a * b);
    }
};
struct Maximum {
    template <class T>
    static T apply(T a, T b) {
        return b > a ? b : a;
    }
};
struct Minimum {
    template <class T>
    static T apply(T a, T b) {
        return b < a ? b : a;
    }
};

// Sums and products of integers wrap, as NumPy's do: they are computed without sign.
template <class Reduction, class T>
void scatter_reduce(const GatherArgs& a) {
    for_each_tuple(a, [&](int64_t fixed, int64_t dense, bool inside) {
        if (!inside) return;
        T* to = static_cast<T*>(a.fixed) + fixed;
        const T* from = static_cast<const T*>(a.dense) + dense;
        for (int64_t j = 0; j < a.run; ++j) to[j] = Reduction::apply(to[j], from[j]);
    });
}

}  // namespace

void gather_b1(const GatherArgs& a) { gather<uint8_t>(a); }
void gather_b2(const GatherArgs& a) { gather<uint16_t>(a); }
void gather_b4(const GatherArgs& a) { gather<uint32_t>(a); }
void gather_b8(const GatherArgs& a) { gather<uint64_t>(a); }
void scatter_b1(const GatherArgs& a) { scatter<uint8_t>(a); }
void scatter_b2(const GatherArgs& a) { scatter<uint16_t>(a); }
void scatter_b4(const GatherArgs& a) { scatter<uint32_t>(a); }
void scatter_b8(const GatherArgs& a) { scatter<uint64_t>(a); }
void scatter_add_f32(const GatherArgs& a) { scatter_reduce<Add, float>(a); }
void scatter_add_f64(const GatherArgs& a) { scatter_reduce<Add, double>(a); }
void scatter_add_i8(const GatherArgs& a) { scatter_reduce<Add, uint8_t>(a); }
void scatter_add_u8(const GatherArgs& a) { scatter_reduce<Add, uint8_t>(a); }
void scatter_add_i32(const GatherArgs& a) { scatter_reduce<Add, uint32_t>(a); }
void scatter_add_i64(const GatherArgs& a) { scatter_reduce<Add, uint64_t>(a); }
void scatter_add_u64(const GatherArgs& a) { scatter_reduce<Add, uint64_t>(a); }
void scatter_mul_f32(const GatherArgs& a) { scatter_reduce<Multiply, float>(a); }
void scatter_mul_f64(const GatherArgs& a) { scatter_reduce<Multiply, double>(a); }
void scatter_mul_i8(const GatherArgs& a) { scatter_reduce<Multiply, uint8_t>(a); }
void scatter_mul_u8(const GatherArgs& a) { scatter_reduce<Multiply, uint8_t>(a); }
void scatter_mul_i32(const GatherArgs& a) { scatter_reduce<Multiply, uint32_t>(a); }
void scatter_mul_i64(const GatherArgs& a) { scatter_reduce<Multiply, uint64_t>(a); }
void scatter_mul_u64(const GatherArgs& a) { scatter_reduce<Multiply, uint64_t>(a); }
void scatter_max_f32(const GatherArgs& a) { scatter_reduce<Maximum, float>(a); }
void scatter_max_f64(const GatherArgs& a) { scatter_reduce<Maximum, double>(a); }
void scatter_max_i8(const GatherArgs& a) { scatter_reduce<Maximum, int8_t>(a); }
void scatter_max_u8(const GatherArgs& a) { scatter_reduce<Maximum, uint8_t>(a); }
void scatter_max_i32(const GatherArgs& a) { scatter_reduce<Maximum, int32_t>(a); }
void scatter_max_i64(const GatherArgs& a) { scatter_reduce<Maximum, int64_t>(a); }
void scatter_max_u64(const GatherArgs& a) { scatter_reduce<Maximum, uint64_t>(a); }
void scatter_min_f32(const GatherArgs& a) { scatter_reduce<Minimum, float>(a); }
void scatter_min_f64(const GatherArgs& a) { scatter_reduce<Minimum, double>(a); }
void scatter_min_i8(const GatherArgs& a) { scatter_reduce<Minimum, int8_t>(a); }
void scatter_min_u8(const GatherArgs& a) { scatter_reduce<Minimum, uint8_t>(a); }
void scatter_min_i32(const GatherArgs& a) { scatter_reduce<Minimum, int32_t>(a); }
void scatter_min_i64(const GatherArgs& a) { scatter_reduce<Minimum, int64_t>(a); }
void scatter_min_u64(const GatherArgs& a) { scatter_reduce<Minimum, uint64_t>(a); }

}  // namespace hades::scalar
