// The one place that asks the operating system for the time zone.
#include "common/local_time.h"

namespace fovea {

std::tm localTime(std::time_t moment) {
    std::tm local{};
#ifdef _WIN32
    localtime_s(&local, &moment);
#else
    localtime_r(&moment, &local);
#endif
    return local;
}

}  // namespace fovea
