#pragma once
#include "kernels/paged_attention/one_token_generic.h"
#include "kernels/paged_attention/several_tokens_generic.h"

namespace hades::HADES_ISA {

template <class Cache>
static void attend(const PagedAttentionArgs& args) {
    if (args.tokens == 1) return attend_one<Cache>(args);
    attend_several<Cache>(args);
}

void paged_attention_bf16(const PagedAttentionArgs& args) { attend<Bf16Cache>(args); }
void paged_attention_int8(const PagedAttentionArgs& args) { attend<Int8Cache>(args); }

}  // namespace hades::HADES_ISA
