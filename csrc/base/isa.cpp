#include "base/isa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace hades {
namespace {

#if defined(__x86_64__)

bool bit(unsigned word, int position) { return (word >> position) & 1u; }

unsigned long long enabled_register_state() {
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (static_cast<unsigned long long>(high) << 32) | low;
}

IsaMask native_isa() {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !bit(c, 27) /* OSXSAVE */) return 0;
    const bool fma = bit(c, 12), f16c = bit(c, 29);
    const unsigned long long state = enabled_register_state();
    const bool saves_ymm = (state & 0x6) == 0x6;
    const bool saves_zmm = (state & 0xe6) == 0xe6;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    const unsigned leaf7_b = b, leaf7_c = c;

    IsaMask isa = 0;
    const bool bmi = bit(leaf7_b, 3) && bit(leaf7_b, 8);
    if (saves_ymm && fma && f16c && bmi && bit(leaf7_b, 5)) isa |= kAvx2;
    const bool foundation = bit(leaf7_b, 16) && bit(leaf7_b, 17) && bit(leaf7_b, 28) &&
                            bit(leaf7_b, 30) && bit(leaf7_b, 31);
    if (!(isa & kAvx2) || !saves_zmm || !foundation) return isa;
    isa |= kAvx512;
    if (bit(leaf7_c, 11)) isa |= kAvx512Vnni;
    if (bit(leaf7_c, 1)) isa |= kAvx512Vbmi;
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d) && bit(a, 5)) isa |= kAvx512Bf16;
    return isa;
}

#else

IsaMask native_isa() { return 0; }

#endif

#if defined(HADES_EMULATED_FEATURES)
constexpr IsaMask kEmulated = HADES_EMULATED_FEATURES;
#else
constexpr IsaMask kEmulated = 0;
#endif

}  // namespace

IsaMask detect_isa() { return native_isa() | kEmulated; }

IsaMask emulated_isa() { return kEmulated; }

}  // namespace hades
