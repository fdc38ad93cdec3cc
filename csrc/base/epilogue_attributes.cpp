#include "base/epilogue_attributes.h"

namespace hades {
namespace {

struct NamedActivation {
    const char* name;
    Activation kind;
};

constexpr NamedActivation kActivations[] = {
    {"none", Activation::none},
    {"relu", Activation::relu},
    {"leaky_relu", Activation::leaky_relu},
    {"clip", Activation::clip},
    {"sigmoid", Activation::sigmoid},
    {"hard_sigmoid", Activation::hard_sigmoid},
    {"hard_swish", Activation::hard_swish},
    {"silu", Activation::silu},
    {"gelu_erf", Activation::gelu_erf},
    {"gelu_tanh", Activation::gelu_tanh},
    {"tanh", Activation::tanh},
};

}  // namespace

Status read_activation(const OpDesc& desc, const char* name, ActivationParams* activation) {
    const std::string kind = desc.attributes.text(name, "none");
    const std::string prefix = name;
    activation->alpha = static_cast<float>(desc.attributes.real((prefix + "_alpha").c_str(), 0.0));
    activation->beta = static_cast<float>(desc.attributes.real((prefix + "_beta").c_str(), 0.0));
    for (const NamedActivation& known : kActivations) {
        if (kind != known.name) continue;
        activation->kind = known.kind;
        return {};
    }
    return invalid("%s: attribute %s is \"%s\", which is no activation; see base/epilogue.h",
                   desc.op.c_str(), name, kind.c_str());
}

Status read_epilogue(const OpDesc& desc, Epilogue* epilogue) {
    const Status status = read_activation(desc, "activation", &epilogue->activation);
    return status.ok ? read_activation(desc, "after", &epilogue->after) : status;
}

}  // namespace hades
