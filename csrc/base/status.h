#pragma once
#include <cstdarg>
#include <cstdio>

namespace hades {

// Result of everything that may fail while binding. Running a bound instruction cannot fail.
struct Status {
    bool ok = true;
    char message[256] = {};
};

__attribute__((format(printf, 1, 2))) static inline Status invalid(const char* format, ...) {
    Status status;
    status.ok = false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(status.message, sizeof status.message, format, arguments);
    va_end(arguments);
    return status;
}

}  // namespace hades
