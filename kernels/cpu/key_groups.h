// Groups of keys as runs within a block.
#pragma once

#include <cstdint>

#include "cpu/level.h"

namespace fovea::kernels::cpu {

constexpr int kMaxGroups = 32;

/// The keys [begin, end) of a block have one group; `group` is `none` where the caller says -1.
struct KeyRun {
    int begin, end, group;
};

/// The runs of one block; keys without a group form runs of group `none`.
struct KeyRuns {
    KeyRun run[kBlock];
    int count = 0;

    void set(const int32_t* keyGroup, int keys, int none) {
        count = 0;
        for (int j = 0; j < keys; ++j) {
            const int group = keyGroup[j] < 0 ? none : keyGroup[j];
            if (count > 0 && run[count - 1].group == group) {
                run[count - 1].end = j + 1;
            } else {
                run[count++] = {j, j + 1, group};
            }
        }
    }
};

}  // namespace fovea::kernels::cpu
