// The precompiled header of the command line: CLI11 beside what the sessions use.
#pragma once

#include <CLI/CLI.hpp>

#include "base_pch.h"
