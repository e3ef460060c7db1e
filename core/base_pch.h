// The precompiled header of everything without tensors: the standard library, JSON and formatting. Shared by the base
// of core, the pictures, the sessions, the command line and their tests.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>
