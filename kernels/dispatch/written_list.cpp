#include "dispatch/checks.h"

namespace fovea::kernels {

namespace {

// Byte range of one run.
struct Range {
    uintptr_t begin, end;
};

Range runOf(const Written& array, int64_t b, int64_t h, int64_t row) {
    const int64_t offset = b * array.strideB + h * array.strideH + row * array.strideRow;
    const uintptr_t begin =
        reinterpret_cast<uintptr_t>(array.data) + static_cast<uintptr_t>(offset * array.elementBytes);
    return {begin, begin + static_cast<uintptr_t>(array.count * array.elementBytes)};
}

Range extent(const Written& a) {
    return {reinterpret_cast<uintptr_t>(a.data), runOf(a, a.batch - 1, a.heads - 1, a.rows - 1).end};
}

bool meet(Range a, Range b) {
    return a.begin < b.end && b.begin < a.end;
}

// True when a run of `array` meets `range`; the innermost index is solved instead of searched.
bool meetsRun(const Written& array, Range range) {
    if (!meet(extent(array), range)) return false;
    const int64_t bytes = array.elementBytes, length = array.count * bytes;
    for (int64_t b = 0; b < array.batch; ++b) {
        for (int64_t h = 0; h < array.heads; ++h) {
            const Range first = runOf(array, b, h, 0);
            const int64_t low = static_cast<int64_t>(range.begin) - static_cast<int64_t>(first.begin);
            const int64_t high = static_cast<int64_t>(range.end) - static_cast<int64_t>(first.begin);
            const int64_t step = array.rows > 1 ? array.strideRow * bytes : length;
            // Runs r with r * step < high and r * step + length > low.
            int64_t r = low - length < 0 ? 0 : (low - length) / step + 1;
            if (r < array.rows && r * step < high) return true;
        }
    }
    return false;
}

// True when the nested strides keep the runs of one array apart: some order of the three loops nests them.
bool runsApart(const Written& a) {
    struct Loop {
        int64_t size, stride;
    } loops[3] = {{a.batch, a.strideB}, {a.heads, a.strideH}, {a.rows, a.strideRow}};
    for (int i = 0; i < 3; ++i) {
        for (int j = i + 1; j < 3; ++j) {
            const bool swap =
                (loops[j].size > 1 ? loops[j].stride : 0) < (loops[i].size > 1 ? loops[i].stride : 0);
            if (swap) {
                const Loop kept = loops[i];
                loops[i] = loops[j];
                loops[j] = kept;
            }
        }
    }
    int64_t span = a.count;
    for (const Loop& loop : loops) {
        if (loop.size <= 1) continue;
        if (loop.stride < span) return false;
        span += (loop.size - 1) * loop.stride;
    }
    return true;
}

bool strideFits(int64_t stride) {
    return stride >= 0 && stride <= kMaxStride;
}

bool share(const Written& a, const Written& b) {
    if (!meet(extent(a), extent(b))) return false;
    for (int64_t i = 0; i < a.batch; ++i) {
        for (int64_t j = 0; j < a.heads; ++j) {
            for (int64_t r = 0; r < a.rows; ++r) {
                if (meetsRun(b, runOf(a, i, j, r))) return true;
            }
        }
    }
    return false;
}

}  // namespace

void WrittenList::add(const Written& array) {
    if (array.data && m_count < 20) m_arrays[m_count++] = array;
}

void WrittenList::add(const char* name, const fv_output& output, int64_t batch, int64_t heads,
                      int64_t count) {
    add({name, output.data, batch, heads, output.stride_b, output.stride_h, 1, 0, count, 4});
}

bool WrittenList::check(Report& report, Stage stage) const {
    for (int i = 0; i < m_count; ++i) {
        const Written& a = m_arrays[i];
        const bool strides = (a.batch == 1 || strideFits(a.strideB)) &&
                             (a.heads == 1 || strideFits(a.strideH)) &&
                             (a.rows == 1 || strideFits(a.strideRow));
        if (!report.require(strides, FV_BAD_SIZE, a.name, "a stride is negative or too large")) return false;
        if (!report.require(runsApart(a), FV_OVERLAP, a.name,
                            "its strides let heads or batch entries overlap")) {
            return false;
        }
        if (stage == Stage::Workspace) continue;
        const bool fits = aligned(a.data, static_cast<size_t>(a.elementBytes));
        if (!report.require(fits, FV_MISALIGNED, a.name, "the pointer is not aligned to its element"))
            return false;
        for (int j = 0; j < i; ++j) {
            if (!report.require(!share(a, m_arrays[j]), FV_OVERLAP, a.name,
                                "it shares memory with another output")) {
                return false;
            }
        }
    }
    return true;
}

bool WrittenList::touches(const void* memory, size_t bytes) const {
    const uintptr_t begin = reinterpret_cast<uintptr_t>(memory);
    for (int i = 0; i < m_count; ++i) {
        if (meetsRun(m_arrays[i], {begin, begin + bytes})) return true;
    }
    return false;
}

}  // namespace fovea::kernels
