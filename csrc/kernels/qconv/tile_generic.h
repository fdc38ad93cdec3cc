#pragma once
#include "kernels/qconv/qconv.h"
#include "simd/byte_products.h"
#include "simd/requantize.h"

// The micro-kernel of products of bytes: V vectors of output channels times P pixels in registers.
//   sums[p, o] += sum over taps t and quads i of x[p * pixel + t, 4 i ..] . w[t, i, o, 0 .. 3]
// Per quad it loads V vectors of weights and broadcasts P times four bytes of x. Pixels are a
// constant distance apart, so every third pixel's pointer is enough: the two after it are that
// pointer plus once and twice the distance, which x86 addressing gives for free.
// Register budget: V * P sums, V weights, a broadcast, and what `dot_bytes` needs: 28 + 2 + 1 of 32
// with VNNI, 24 + 2 + 1 + 2 with AVX-512 alone, 10 + 2 + 1 + 2 of 16 with AVX2.
// Ports (Cascade Lake, VNNI): 28 vpdpbusd on two ports in 14 cycles, in which 16 loads fit.
// Numerics: exact in int32.
namespace hades::HADES_ISA {

struct QuadTile {
    const uint8_t* x;  // the first pixel's first tap
    int64_t pixel;     // bytes between output pixels
    int64_t tap_row, tap_column;
    const uint8_t* w;
    int64_t w_row, w_column;
    int64_t rows, columns, quads;  // taps, and quads per tap
    bool is_dense;                 // a tap is all of its pixel, and pixels are neighbours
    const uint8_t* extra;          // of the block; see pack.h
    const int32_t* extra_ends;     // before the first row of taps, of the first vector
    int64_t extra_rows;            // from the ends of a vector to those of the next
    const int32_t* start;          // [V vectors]: what every sum begins with
    const Requantize* requantize;
    Limits limits;
    RequantizeRows to;
    int last_lanes;  // output channels in the last vector
};

template <int Count>
HADES_INLINE void keep_in_registers(const uint8_t* (&pointers)[Count]) {
    // Without this the compiler derives one address per pixel and spills them.
#pragma GCC unroll 16
    for (int k = 0; k < Count; ++k) asm("" : "+r"(pointers[k]));
}

constexpr int kQuadBytes = 4 * kLanes;  // of weights in a vector

// How a tile multiplies a lane's four bytes: U of them at once, which divide the quads of a tap,
// and as two int16 where x and weights are Wide.
template <int U, bool Wide>
struct Step {
    static constexpr int kUnroll = U;
    static constexpr bool kWide = Wide;
};

// sums += the products of one quad, `offset` bytes from the pixels that `base` points to.
template <class How, int V, int P, int Bases>
HADES_INLINE void multiply_quad(I32 (&sums)[V][P], const uint8_t* const (&base)[Bases],
                                int64_t pixel, int64_t offset, const uint8_t* w) {
    Bytes weight[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) weight[v] = load_bytes(w + v * kQuadBytes);
#pragma GCC unroll 32
    for (int p = 0; p < P; ++p) {
        const Bytes value = dword(base[p / 3] + offset + (p % 3) * pixel);
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v)
            sums[v][p] = How::kWide ? dot_words(sums[v][p], value, weight[v])
                                    : dot_bytes(sums[v][p], value, weight[v]);
    }
}

// sums += the products of one tap.
template <class How, int V, int P>
HADES_INLINE void multiply(I32 (&sums)[V][P], const uint8_t* x, int64_t pixel, const uint8_t* w,
                           int64_t quads, bool is_dense) {
    constexpr int kBases = (P + 2) / 3, U = How::kUnroll;
    const uint8_t* base[kBases];
#pragma GCC unroll 16
    for (int k = 0; k < kBases; ++k) base[k] = x + 3 * k * pixel;
    // What the next tile reads of a tap comes while this one is multiplied.
    const uint8_t* next = x + P * pixel;
    const int64_t next_step = is_dense ? 4 * U * P : 0;
    // No second loop for the rest: with one, sums move between registers and the stack.
#pragma GCC unroll 1
    for (; quads > 0; quads -= U) {
        keep_in_registers(base);
#pragma GCC unroll 4
        for (int line = 0; line < U * V * kQuadBytes; line += 64)
            __builtin_prefetch(w + 16 * V * kQuadBytes + line);
#pragma GCC unroll 4
        for (int line = 0; line < 4 * U * P; line += 64) __builtin_prefetch(next + line);
        next += next_step;
#pragma GCC unroll 2
        for (int i = 0; i < U; ++i)
            multiply_quad<How>(sums, base, pixel, 4 * i, w + i * V * kQuadBytes);
#pragma GCC unroll 16
        for (int k = 0; k < kBases; ++k) base[k] += 4 * U;
        w += U * V * kQuadBytes;
    }
}

// sums += what the weights of vector v had too much for the instructions of the tier.
template <int P>
HADES_INLINE void multiply_extra(I32 (&sums)[P], const QuadTile& t, int v) {
    constexpr int kBases = (P + 2) / 3;
    constexpr int64_t kEntry = 8 + kQuadBytes;
    const int32_t* const ends = t.extra_ends + v * t.extra_rows;
    int64_t done = ends[0];
    const uint8_t* extra = t.extra + done * kEntry;
    for (int64_t row = 0; row < t.rows; ++row) {
        if (done == ends[row + 1]) continue;
        const uint8_t* base[kBases];
#pragma GCC unroll 16
        for (int k = 0; k < kBases; ++k) base[k] = t.x + row * t.tap_row + 3 * k * t.pixel;
        keep_in_registers(base);
#pragma GCC unroll 1
        for (; done < ends[row + 1]; ++done, extra += kEntry) {
            int32_t place[2];  // column of the tap, and byte of the run
            memcpy(place, extra, sizeof place);
            const int64_t offset = place[0] * t.tap_column + place[1];
            const Bytes weight = load_bytes(extra + 8);
#pragma GCC unroll 32
            for (int p = 0; p < P; ++p)
                sums[p] =
                    dot_bytes(sums[p], dword(base[p / 3] + offset + (p % 3) * t.pixel), weight);
        }
    }
}

// Points within limits, from registers. Everything is read before anything is stored: the compiler
// cannot know that y is not in t.
template <int V, int P>
HADES_INLINE void store_limited(const I32 (&sums)[V][P], const QuadTile& t) {
    constexpr int kAtOnce = PointStore<V>::kPixels;
    const F32 low = set1(t.limits.low), high = set1(t.limits.high);
    const PointStore<V> points(t.limits.zero_point, t.last_lanes);
    const int64_t y_row = t.to.y_row;
    auto* y = static_cast<uint8_t*>(t.to.y);
    F32 factor[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v)
        factor[v] = load_n(t.to.factor + v * kLanes, v == V - 1 ? t.last_lanes : kLanes);
#pragma GCC unroll 32
    for (int p = 0; p < P; p += kAtOnce, y += kAtOnce * y_row) {
        const int pixels = P - p < kAtOnce ? P - p : kAtOnce;
        F32 steps[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            const int v = i % V, at = p + (i / V < pixels ? i / V : 0);
            steps[i] = min(high, max(low, to_f32(sums[v][at]) * factor[v]));
        }
        points.put(y, y_row, steps, pixels);
    }
}

// Floats of a tile are a line or two of each of its rows, far apart, which no prefetcher of the
// machine foresees: they come while the tile is multiplied.
template <int V, int P>
HADES_INLINE void prefetch_floats(const QuadTile& t) {
    constexpr int kLine = 16;
    const auto ask = [&](const float* p, int64_t row) {
#pragma GCC unroll 32
        for (int i = 0; i < P; ++i)
#pragma GCC unroll 2
            for (int at = 0; at < V * kLanes; at += kLine) __builtin_prefetch(p + i * row + at, 1);
    };
    if (!t.requantize->y_is_bytes) ask(static_cast<const float*>(t.to.y), t.to.y_row);
    if (t.to.residual && !t.requantize->residual_is_bytes)
        ask(static_cast<const float*>(t.to.residual), t.to.residual_row);
}

template <class How, int V, int P>
static void run_tile(const QuadTile& t) {
    if (!t.limits.suffice) prefetch_floats<V, P>(t);
    I32 sums[V][P];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
        const I32 start = load(t.start + v * kLanes);
#pragma GCC unroll 32
        for (int p = 0; p < P; ++p) sums[v][p] = start;
    }
    for (int64_t row = 0; row < t.rows; ++row)
        for (int64_t column = 0; column < t.columns; ++column)
            multiply<How>(sums, t.x + row * t.tap_row + column * t.tap_column, t.pixel,
                          t.w + row * t.w_row + column * t.w_column, t.quads, t.is_dense);
    if constexpr (kDotSaturates && !How::kWide) {
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) multiply_extra<P>(sums[v], t, v);
    }

    if (t.limits.suffice) return store_limited<V, P>(sums, t);
    int32_t memory[V * P * kLanes];
#pragma GCC unroll 32
    for (int p = 0; p < P; ++p)
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) store(memory + (p * V + v) * kLanes, sums[v][p]);
    requantize_rows(*t.requantize, t.to, memory, V * kLanes, P, (V - 1) * kLanes + t.last_lanes);
}

using TileFn = void (*)(const QuadTile&);

// The widest tiles whose sums fit into the registers beside what a product needs.
constexpr int kPixels1 = kRegisters >= 32 ? 24 : 10;
constexpr int kPixels2 = kRegisters >= 32 ? (kDotSaturates ? 12 : 14) : 5;
constexpr int kWidePixels2 = kRegisters >= 32 ? 14 : 6;

// Indexed by pixels - 1.
template <int Widest>
struct TileTable {
    TileFn run[Widest];
};

template <class How, int V, int Widest, int P = 1>
constexpr void add_tiles(TileTable<Widest>& table) {
    table.run[P - 1] = run_tile<How, V, P>;
    if constexpr (P < Widest) add_tiles<How, V, Widest, P + 1>(table);
}

template <class How, int V, int Widest>
constexpr TileTable<Widest> make_tiles() {
    TileTable<Widest> table{};
    add_tiles<How, V, Widest>(table);
    return table;
}

// For any number of quads, and for even ones, which is most.
static constexpr TileTable<kPixels1> kTiles1[] = {make_tiles<Step<1, false>, 1, kPixels1>(),
                                                  make_tiles<Step<2, false>, 1, kPixels1>()};
static constexpr TileTable<kPixels2> kTiles2[] = {make_tiles<Step<1, false>, 2, kPixels2>(),
                                                  make_tiles<Step<2, false>, 2, kPixels2>()};

// The tiles for blocks of so many vectors.
struct Tiles {
    const TileFn* run;
    int64_t widest;
};

#if defined(HADES_DOT_IS_EXACT)
HADES_INLINE Tiles tiles_of(int64_t vectors, int64_t quads, bool) {
    const bool even = quads % 2 == 0;
    return vectors == 2 ? Tiles{kTiles2[even].run, kPixels2} : Tiles{kTiles1[even].run, kPixels1};
}
#else
static constexpr TileTable<kPixels1> kWideTiles1[] = {make_tiles<Step<1, true>, 1, kPixels1>(),
                                                      make_tiles<Step<2, true>, 1, kPixels1>()};
static constexpr TileTable<kWidePixels2> kWideTiles2[] = {
    make_tiles<Step<1, true>, 2, kWidePixels2>(), make_tiles<Step<2, true>, 2, kWidePixels2>()};

HADES_INLINE Tiles tiles_of(int64_t vectors, int64_t quads, bool wide) {
    const bool even = quads % 2 == 0;
    if (vectors == 2)
        return wide ? Tiles{kWideTiles2[even].run, kWidePixels2}
                    : Tiles{kTiles2[even].run, kPixels2};
    return Tiles{(wide ? kWideTiles1 : kTiles1)[even].run, kPixels1};
}
#endif

}  // namespace hades::HADES_ISA
