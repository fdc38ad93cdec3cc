#pragma once
#include "base/rounding.h"
#include "kernels/conv/clamp_generic.h"
#include "kernels/conv/conv.h"
#include "kernels/tile/even_split.h"
#include "kernels/tile/finish.h"
#include "simd/simd.h"

// The micro-kernel of convolution: V vectors of output channels times P pixels in registers.
//   sums[p, o] += sum over taps t and channels i of x[p * pixel + t, i] * w[t, i, o]
// Per input channel it loads V vectors of weights and broadcasts P values of x. Pixels are a
// constant distance apart, so every third pixel's pointer is enough: the two after it are that
// pointer plus once and twice the distance, which x86 addressing gives for free.
// Register budget: V * P sums, V weights, one broadcast value: 28 + 2 + 1 of 32 with AVX-512,
// 12 + 2 + 1 of 16 with AVX2. A broadcast serves two multiply-adds, so that the two load ports keep
// up with the two multiply-add ports (Skylake: 16 loads in 14 cycles).
// Numerics: one fused multiply-add per term, taps outermost.
namespace hades::HADES_ISA {

struct Tile {
    const float* x;  // the first pixel's first tap
    int64_t pixel;   // elements of x between output pixels
    int64_t tap_row, tap_column;
    const float* w;
    int64_t w_row, w_column;
    int64_t rows, columns, inner;  // taps, and elements per tap
    const float* partial_in;       // [pixel][V vectors], or nullptr
    float* partial_out;            // or nullptr where this is the last slice
    float* y;
    const float* residual;
    const float* bias;
    int64_t y_pixel, residual_pixel;
    int last_lanes;  // output channels in the last vector
    const Epilogue* epilogue;
    Clamp clamp;
};

template <int Count>
HADES_INLINE void keep_in_registers(const float* (&pointers)[Count]) {
    // Without this the compiler derives one address per pixel and spills them.
#pragma GCC unroll 16
    for (int k = 0; k < Count; ++k) asm("" : "+r"(pointers[k]));
}

HADES_INLINE const float* after(const float* x, int64_t bytes) {
    return reinterpret_cast<const float*>(reinterpret_cast<const char*>(x) + bytes);
}

// acc += the products of one tap: n input channels.
template <int V, int P>
HADES_INLINE void multiply(F32 (&acc)[V][P], const float* x, int64_t pixel, const float* w,
                           int64_t n) {
    constexpr int kBases = (P + 2) / 3;
    constexpr int kAhead = 16 * V * kLanes;
    const float* base[kBases];
#pragma GCC unroll 16
    for (int k = 0; k < kBases; ++k) base[k] = x + 3 * k * pixel;
    int64_t distance = pixel * static_cast<int64_t>(sizeof(float));
    const auto step = [&](int unroll) __attribute__((always_inline)) {
#pragma GCC unroll 8
        for (int u = 0; u < unroll; ++u) {
            keep_in_registers(base);
            asm("" : "+r"(distance), "+r"(w));  // one register, not one per offset of the loop
            const float* weights = w + u * V * kLanes;
            F32 weight[V];
#pragma GCC unroll 2
            for (int v = 0; v < V; ++v) weight[v] = load(weights + v * kLanes);
            if (u * V * kLanes % kLineFloats == 0)
#pragma GCC unroll 2
                for (int line = 0; line < V * kLanes; line += kLineFloats)
                    __builtin_prefetch(weights + line + kAhead);
#pragma GCC unroll 32
            for (int p = 0; p < P; ++p) {
                const F32 value = set1(*after(base[p / 3] + u, (p % 3) * distance));
#pragma GCC unroll 2
                for (int v = 0; v < V; ++v) accumulate(acc[v][p], value, weight[v]);
            }
        }
#pragma GCC unroll 16
        for (int k = 0; k < kBases; ++k) base[k] += unroll;
        w += unroll * V * kLanes;
    };
    constexpr int kUnroll = 64 / kLanes;
    for (; n >= kUnroll; n -= kUnroll) step(kUnroll);
    for (; n > 0; --n) step(1);
}

// Epilogues beyond a clamp, on sums that were put into memory first.
static __attribute__((noinline)) void finish(const Tile& t, const float* sums, int vectors,
                                             int pixels) {
    const Finish f = {t.bias, t.residual, t.y, t.residual_pixel, t.y_pixel, 1.0f, *t.epilogue};
    finish_rows(f, sums, vectors * kLanes, pixels, (vectors - 1) * kLanes + t.last_lanes);
}

// Everything is read before anything is stored: the compiler cannot know that y is not in t. A
// constant number of lanes spares the masks.
template <int V, int P>
HADES_INLINE void store_clamped(const F32 (&acc)[V][P], const Tile& t, int last_lanes) {
    const F32 low = set1(t.clamp.low), high = set1(t.clamp.high);
    const F32 after_low = set1(t.clamp.after_low), after_high = set1(t.clamp.after_high);
    const int64_t y_pixel = t.y_pixel, residual_pixel = t.residual_pixel;
    const float* bias = t.bias;
    const float* residual = t.residual;
    float* y = t.y;
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
        const int lanes = v == V - 1 ? last_lanes : kLanes;
        const int64_t o = v * kLanes;
        const F32 offset = bias ? load_n(bias + o, lanes) : zero();
        if (!residual) {
#pragma GCC unroll 32
            for (int p = 0; p < P; ++p)
                store_n(y + p * y_pixel + o, min(high, max(low, acc[v][p] + offset)), lanes);
            continue;
        }
#pragma GCC unroll 32
        for (int p = 0; p < P; ++p) {
            const F32 value = min(high, max(low, acc[v][p] + offset)) +
                              load_n(residual + p * residual_pixel + o, lanes);
            store_n(y + p * y_pixel + o, min(after_high, max(after_low, value)), lanes);
        }
    }
}

// The lines that will be written come while the sums are made: with few input channels, waiting for
// them takes longer than the sums.
template <int V, int P>
HADES_INLINE void fetch_output(const Tile& t) {
    const float* y = t.y;
    const int64_t y_pixel = t.y_pixel;
    for (int p = 0; p < P; ++p, y += y_pixel)
#pragma GCC unroll 2
        for (int o = 0; o < V * kLanes; o += kLineFloats) __builtin_prefetch(y + o, 1);
}

template <int V, int P>
static void run_tile(const Tile& t) {
    F32 acc[V][P];
#pragma GCC unroll 32
    for (int p = 0; p < P; ++p)
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v)
            acc[v][p] = t.partial_in ? load(t.partial_in + (p * V + v) * kLanes) : zero();

    if (!t.partial_out) fetch_output<V, P>(t);
    for (int64_t row = 0; row < t.rows; ++row)
        for (int64_t column = 0; column < t.columns; ++column)
            multiply<V, P>(acc, t.x + row * t.tap_row + column * t.tap_column, t.pixel,
                           t.w + row * t.w_row + column * t.w_column, t.inner);

    if (t.clamp.suffices && !t.partial_out) {
        if (t.last_lanes == kLanes) return store_clamped<V, P>(acc, t, kLanes);
        return store_clamped<V, P>(acc, t, t.last_lanes);
    }
    float sums[V * P * kLanes];
    float* to = t.partial_out ? t.partial_out : sums;
#pragma GCC unroll 32
    for (int p = 0; p < P; ++p)
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) store(to + (p * V + v) * kLanes, acc[v][p]);
    if (!t.partial_out) finish(t, sums, V, P);
}

using TileFn = void (*)(const Tile&);

// The widest tiles whose sums, weights and one broadcast value fit into the registers.
constexpr int kPixels1 = kRegisters * 3 / 4;
constexpr int kPixels2 = (kRegisters - 3) / 2;

// Indexed by pixels - 1.
template <int V, int Widest>
struct TileTable {
    TileFn run[Widest];
};

template <int V, int Widest, int P = 1>
constexpr void add_tiles(TileTable<V, Widest>& table) {
    table.run[P - 1] = run_tile<V, P>;
    if constexpr (P < Widest) add_tiles<V, Widest, P + 1>(table);
}

template <int V, int Widest>
constexpr TileTable<V, Widest> make_tiles() {
    TileTable<V, Widest> table{};
    add_tiles(table);
    return table;
}

static constexpr auto kTiles1 = make_tiles<1, kPixels1>();
static constexpr auto kTiles2 = make_tiles<2, kPixels2>();

constexpr int kPackedLanes = kLanes;

// Width of the packed block that begins where `oc_left` output channels are left.
HADES_INLINE int64_t packed_width(int64_t oc_left) {
    return oc_left > kLanes ? 2 * kLanes : kLanes;
}

}  // namespace hades::HADES_ISA
