#include "base/epilogue_attributes.h"

#include "base/functions.h"

namespace hades {
namespace {

// The enumerators follow the rows of the table that are activations.
const ElementFunction* find_activation(const std::string& name, Activation* kind) {
    int32_t number = static_cast<int32_t>(Activation::none);
    for (const ElementFunction* f = kElementFunctions; f->name; ++f) {
        if (!f->is_activation) continue;
        *kind = static_cast<Activation>(++number);
        if (name == f->name) return f;
    }
    return nullptr;
}

std::string names_of_activations() {
    std::string names = "none";
    for (const ElementFunction* f = kElementFunctions; f->name; ++f)
        if (f->is_activation) names += std::string(", ") + f->name;
    return names;
}

}  // namespace

Status read_activation(const OpDesc& desc, const char* name, ActivationParams* activation) {
    *activation = {};
    const std::string kind = desc.attributes.text(name, "none");
    if (kind == "none") return {};
    const ElementFunction* function = find_activation(kind, &activation->kind);
    if (!function)
        return invalid("%s: %s \"%s\" is none of %s", desc.op.c_str(), name, kind.c_str(),
                       names_of_activations().c_str());
    const struct {
        const char* suffix;
        float* value;
    } parameters[] = {{"_alpha", &activation->alpha}, {"_beta", &activation->beta}};
    for (int i = 0; i + 1 < function->operands; ++i) {
        const std::string attribute = std::string(name) + parameters[i].suffix;
        if (!desc.attributes.find(attribute.c_str()))
            return invalid("%s: %s \"%s\" needs the attribute %s", desc.op.c_str(), name,
                           function->name, attribute.c_str());
        *parameters[i].value = static_cast<float>(desc.attributes.real(attribute.c_str(), 0.0));
    }
    return {};
}

Status read_epilogue(const OpDesc& desc, Epilogue* epilogue) {
    const Status status = read_activation(desc, "activation", &epilogue->activation);
    return status.ok ? read_activation(desc, "after", &epilogue->after) : status;
}

}  // namespace hades
