#pragma once
#include <cstdint>

namespace hades {

using IsaMask = uint32_t;

// Features come in the bundles that compilers are told about, see ISA_FLAGS in setup.py.
enum IsaFeature : IsaMask {
    kAvx2 = 1u << 0,        // AVX2, FMA, F16C, BMI1, BMI2
    kAvx512 = 1u << 1,      // AVX-512 F, BW, DQ, VL, CD
    kAvx512Vnni = 1u << 2,  // AVX-512 VNNI
    kAvx512Vbmi = 1u << 3,  // AVX-512 VBMI
    kAvx512Bf16 = 1u << 4,  // AVX-512 BF16
};

namespace tier {
#define HADES_TIER(name, features) constexpr IsaMask name = (features);
#include "base/isa.inc"
#undef HADES_TIER
}  // namespace tier

struct Tier {
    const char* name;
    IsaMask features;
};

constexpr Tier kTiers[] = {
#define HADES_TIER(name, features) {#name, static_cast<IsaMask>(features)},
#include "base/isa.inc"
#undef HADES_TIER
};

constexpr int kTierCount = sizeof kTiers / sizeof *kTiers;

// What this CPU and its operating system support, and what this build emulates.
IsaMask detect_isa();

// Features whose instructions a build for tests computes by others, see PYHADES_EMULATE in
// setup.py; none in every other build. They are used where a caller names their tier, and nowhere
// else.
IsaMask emulated_isa();

}  // namespace hades
