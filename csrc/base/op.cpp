#include "base/op.h"

#include <utility>

namespace hades {

const Attribute* Attributes::find(const char* name) const {
    for (const Attribute& item : items)
        if (item.name == name) return &item;
    return nullptr;
}

int64_t Attributes::integer(const char* name, int64_t fallback) const {
    const Attribute* item = find(name);
    return item && !item->ints.empty() ? item->ints[0] : fallback;
}

double Attributes::real(const char* name, double fallback) const {
    const Attribute* item = find(name);
    if (!item) return fallback;
    if (!item->floats.empty()) return item->floats[0];
    return item->ints.empty() ? fallback : static_cast<double>(item->ints[0]);
}

std::string Attributes::text(const char* name, const char* fallback) const {
    const Attribute* item = find(name);
    return item && !item->text.empty() ? item->text : std::string(fallback);
}

std::vector<int64_t> Attributes::integers(const char* name, std::vector<int64_t> fallback) const {
    const Attribute* item = find(name);
    return item ? item->ints : std::move(fallback);
}

std::vector<double> Attributes::reals(const char* name, std::vector<double> fallback) const {
    const Attribute* item = find(name);
    if (!item) return fallback;
    if (!item->floats.empty()) return item->floats;
    return std::vector<double>(item->ints.begin(), item->ints.end());
}

void run_nothing(const void*, void* const*, Worker&) {}

}  // namespace hades
