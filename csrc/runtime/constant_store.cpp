#include "runtime/constant_store.h"

#include <map>
#include <mutex>

namespace hades {

std::shared_ptr<const Constant> shared_constant(const std::string& key, size_t bytes,
                                                const std::function<void(void*)>& fill) {
    // Never destroyed: programs may outlive the static objects of this module at exit.
    static auto& lock = *new std::mutex;
    static auto& store = *new std::map<std::string, std::weak_ptr<const Constant>>;

    const std::lock_guard<std::mutex> guard(lock);
    std::weak_ptr<const Constant>& entry = store[key];
    if (auto existing = entry.lock()) return existing;
    auto constant = std::make_shared<Constant>();
    constant->data = allocate_block(bytes);
    constant->bytes = bytes;
    fill(constant->data.get());
    entry = constant;
    return constant;
}

}  // namespace hades
