#include "cpu/columns.h"

#include <algorithm>

namespace fovea::kernels::cpu {

void ColumnParts::layout(Arena& arena, const fv_problem& p, int64_t heads, bool any, bool rows) {
    chunks = (p.tq + kChunk - 1) / kChunk;
    const int64_t waves = (chunks + kWave - 1) / kWave;
    perWave = (chunks + waves - 1) / waves;
    stride = any ? (p.tk + kBlock - 1) / kBlock * kBlock : 0;
    sum = arena.take<float>(heads * perWave * stride);
    max = arena.take<float>(heads * perWave * stride);
    row = arena.take<float>(rows ? heads * perWave * stride : 0);
    totalSum = arena.take<double>(heads * stride);
    totalMax = arena.take<float>(heads * stride);
    totalRow = arena.take<int32_t>(rows ? heads * stride : 0);
}

Fold ColumnParts::at(int64_t head, int64_t chunk, int64_t column) const {
    const int64_t offset = (head * perWave + chunk % perWave) * stride + column;
    return {sum + offset, max + offset, row ? row + offset : nullptr};
}

void ColumnParts::join(int64_t head, int64_t wave, int64_t begin, int64_t end) const {
    const int64_t base = head * stride;
    if (wave == 0) {
        std::fill(totalSum + base + begin, totalSum + base + end, 0.0);
        std::fill(totalMax + base + begin, totalMax + base + end, 0.0f);
        if (totalRow) std::fill(totalRow + base + begin, totalRow + base + end, -1);
    }
    for (int64_t chunk = wave * perWave; chunk < std::min(chunks, (wave + 1) * perWave); ++chunk) {
        const Fold part = at(head, chunk, 0);
        double* sums = totalSum + base;
        float* maxima = totalMax + base;
        for (int64_t j = begin; j < end; ++j) sums[j] += part.sum[j];
        if (!totalRow) {
            for (int64_t j = begin; j < end; ++j) maxima[j] = part.max[j] > maxima[j] ? part.max[j] : maxima[j];
            continue;
        }
        for (int64_t j = begin; j < end; ++j) {
            if (!(part.max[j] > maxima[j])) continue;
            maxima[j] = part.max[j];
            totalRow[base + j] = static_cast<int32_t>(chunk * kChunk + static_cast<int64_t>(part.row[j]));
        }
    }
}

}  // namespace fovea::kernels::cpu
