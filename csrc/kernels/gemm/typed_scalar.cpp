#include "kernels/gemm/typed.h"
#include "simd/storage.h"

// y[j] = sum over k of a[k] b[k, j], one element at a time. Floats accumulate in float64; integers
// wrap around, as NumPy's do.
namespace hades::HADES_ISA::typed {

template <class T>
using Accumulator = std::conditional_t<kIsFloat<T>, double, Wrapping<T>>;

template <class Stored>
void multiply_row(const TypedRowArgs& args) {
    using T = Computed<Stored>;
    const auto* a = static_cast<const Stored*>(args.a);
    const auto* b = static_cast<const Stored*>(args.b);
    auto* y = static_cast<Stored*>(args.y);
    for (int64_t j = 0; j < args.n; ++j) {
        Accumulator<T> total = 0;
        for (int64_t i = 0; i < args.k; ++i)
            total += static_cast<Accumulator<T>>(decode(a[i * args.a_col])) *
                     static_cast<Accumulator<T>>(decode(b[i * args.b_row + j * args.b_col]));
        y[j * args.y_col] = encode<Stored>(static_cast<T>(total));
    }
}

}  // namespace hades::HADES_ISA::typed

namespace hades::HADES_ISA {

TypedRow* matmul_typed(DType dtype) {
    return typed::visit(dtype, [](auto tag) -> TypedRow* {
        using Stored = typename decltype(tag)::type;
        if constexpr (typed::kDomain<Stored> != kBoolean)
            return typed::multiply_row<Stored>;
        else
            return nullptr;
    });
}

}  // namespace hades::HADES_ISA
