#pragma once
#include "kernels/bconv/bconv.h"
#include "kernels/tile/finish.h"
#include "simd/bf16_products.h"

// The micro-kernel of products of bfloat16: V vectors of output channels times P pixels in
// registers.
//   sums[p, o] += sum over taps t and pairs i of x[p * pixel + t, 2 i ..] . w[t, i, o, 0 .. 1]
// Per pair it loads V vectors of weights and spreads P pairs of x. Pixels are a constant distance
// apart, so every third pixel's pointer is enough: the two after it are that pointer plus once and
// twice the distance, which x86 addressing gives for free.
// Register budget: V * P sums, the weights, and a spread pair: 28 + 2 + 1 of 32 with BF16. Without
// it weights and pairs are widened, and there is a mask: 24 + 4 + 2 + 1 with AVX-512, 8 + 4 + 2 + 1
// of 16 with AVX2.
// Numerics: float32 sums, taps outermost; a pair adds two products in the order of the tier.
namespace hades::HADES_ISA {

struct PairTile {
    const uint8_t* x;  // the first pixel's first tap
    int64_t pixel;     // bytes between output pixels
    int64_t tap_row, tap_column;
    const uint8_t* w;
    int64_t w_row, w_column;
    int64_t rows, columns, pairs;  // taps, and pairs per tap
    const float* bias;
    const float* residual;
    void* y;
    int64_t y_pixel, residual_pixel;  // elements
    bool y_is_narrow, is_clamped;     // the epilogue is an interval, and then the residual
    float low, high;                  // the interval
    int last_lanes;                   // output channels in the last vector
    const Epilogue* epilogue;
};

template <int Count>
HADES_INLINE void keep_in_registers(const uint8_t* (&pointers)[Count]) {
    // Without this the compiler derives one address per pixel and spills them.
#pragma GCC unroll 16
    for (int k = 0; k < Count; ++k) asm("" : "+r"(pointers[k]));
}

constexpr int kPairBytes = 4 * kLanes;  // of weights in a vector

// sums += the products of one tap.
template <int V, int P>
HADES_INLINE void multiply(F32 (&sums)[V][P], const uint8_t* x, int64_t pixel, const uint8_t* w,
                           int64_t pairs) {
    constexpr int kBases = (P + 2) / 3;
    const uint8_t* base[kBases];
#pragma GCC unroll 16
    for (int k = 0; k < kBases; ++k) base[k] = x + 3 * k * pixel;
    // Not unrolled: with a second loop for the rest, sums move between registers and the stack.
#pragma GCC unroll 1
    for (; pairs > 0; --pairs) {
        keep_in_registers(base);
#pragma GCC unroll 2
        for (int line = 0; line < V * kPairBytes; line += 64)
            __builtin_prefetch(w + 16 * V * kPairBytes + line);
        Pairs weight[V];
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) weight[v] = load_pairs(w + v * kPairBytes);
#pragma GCC unroll 32
        for (int p = 0; p < P; ++p) {
            const Pairs value = spread_pair(base[p / 3] + (p % 3) * pixel);
#pragma GCC unroll 2
            for (int v = 0; v < V; ++v) add_products(sums[v][p], value, weight[v]);
        }
#pragma GCC unroll 16
        for (int k = 0; k < kBases; ++k) base[k] += 4;
        w += V * kPairBytes;
    }
}

// The residual arrives while the sums are added up.
template <int V, int P>
HADES_INLINE void prefetch_residual(const PairTile& t) {
    constexpr int kLineFloats = 16;
    const float* residual = t.residual;
    for (int p = 0; p < P; ++p, residual += t.residual_pixel)
        for (int lane = 0; lane < V * kLanes; lane += kLineFloats)
            __builtin_prefetch(residual + lane);
}

// Within an interval and with a residual, from registers. Everything else is read before anything
// is stored: the compiler cannot know that y is not in t.
template <int V, int P, class Element, bool Adds>
HADES_INLINE void store_clamped(const F32 (&sums)[V][P], const PairTile& t) {
    const F32 low = set1(t.low), high = set1(t.high);
    const int64_t y_pixel = t.y_pixel, residual_pixel = t.residual_pixel;
    auto* y = static_cast<Element*>(t.y);
    const float* residual = t.residual;
    const int last_lanes = t.last_lanes;
    F32 bias[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v)
        bias[v] = t.bias ? load_n(t.bias + v * kLanes, v == V - 1 ? last_lanes : kLanes) : zero();
#pragma GCC unroll 32
    for (int p = 0; p < P; ++p, y += y_pixel, residual += Adds ? residual_pixel : 0)
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) {
            const int lanes = v == V - 1 ? last_lanes : kLanes;
            F32 value = min(high, max(low, sums[v][p] + bias[v]));
            if constexpr (Adds) value = value + load_n(residual + v * kLanes, lanes);
            if constexpr (sizeof(Element) == sizeof(float))
                store_n(y + v * kLanes, value, lanes);
            else
                store_sums_bf16_n(y + v * kLanes, value, lanes);
        }
}

// Any epilogue, on sums that were put into memory first; bfloat16 are finished there and narrowed.
static __attribute__((noinline)) void finish(const PairTile& t, float* sums, int vectors,
                                             int pixels) {
    const int row = vectors * kLanes, columns = row - kLanes + t.last_lanes;
    Finish f = {t.bias, t.residual, sums, t.residual_pixel, row, 1.0f, *t.epilogue};
    if (!t.y_is_narrow) f.y = static_cast<float*>(t.y), f.y_row = t.y_pixel;
    finish_rows(f, sums, row, pixels, columns);
    if (!t.y_is_narrow) return;
    auto* y = static_cast<uint16_t*>(t.y);
    for (int p = 0; p < pixels; ++p, y += t.y_pixel)
        for (int o = 0; o < columns; o += kLanes)
            store_sums_bf16_n(y + o, load(sums + p * row + o),
                              columns - o < kLanes ? columns - o : kLanes);
}

template <int V, int P>
static void run_tile(const PairTile& t) {
    if (t.residual) prefetch_residual<V, P>(t);
    F32 sums[V][P];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v)
#pragma GCC unroll 32
        for (int p = 0; p < P; ++p) sums[v][p] = zero();
    for (int64_t row = 0; row < t.rows; ++row)
        for (int64_t column = 0; column < t.columns; ++column)
            multiply<V, P>(sums, t.x + row * t.tap_row + column * t.tap_column, t.pixel,
                           t.w + row * t.w_row + column * t.w_column, t.pairs);

    if (t.is_clamped && !t.residual) {
        if (t.y_is_narrow) return store_clamped<V, P, uint16_t, false>(sums, t);
        return store_clamped<V, P, float, false>(sums, t);
    }
    if (t.is_clamped && !t.y_is_narrow) return store_clamped<V, P, float, true>(sums, t);
    float memory[V * P * kLanes];
#pragma GCC unroll 32
    for (int p = 0; p < P; ++p)
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) store(memory + (p * V + v) * kLanes, sums[v][p]);
    finish(t, memory, V, P);
}

using TileFn = void (*)(const PairTile&);

// The widest tiles whose sums fit into the registers beside what a product needs.
constexpr int kPixels1 = kRegisters >= 32 ? 24 : 8;
constexpr int kPixels2 = kRegisters >= 32 ? (kMultipliesPairs ? 14 : 12) : 4;

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

}  // namespace hades::HADES_ISA
