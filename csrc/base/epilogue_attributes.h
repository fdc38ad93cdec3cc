#pragma once
#include "base/epilogue.h"
#include "base/op.h"

namespace hades {

// Reads attribute `name` (an enumerator of Activation, default none) with the parameters that it
// has, `<name>_alpha` and `<name>_beta`; they have no defaults.
Status read_activation(const OpDesc& desc, const char* name, ActivationParams* activation);

// Reads `activation` and `after`.
Status read_epilogue(const OpDesc& desc, Epilogue* epilogue);

}  // namespace hades
