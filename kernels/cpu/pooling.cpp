#include "cpu/pooling.h"

#include <algorithm>

namespace fovea::kernels::cpu {

void PoolParts::layout(Arena& arena, const fv_problem& p, int64_t heads, int64_t cellSide) {
    cell = cellSide;
    if (!wanted()) {
        sum = max = nullptr;
        return;
    }
    rowsPerChunk = (kChunk - 1) / cell + 2;
    columnsPerBlock = (kBlock - 1) / cell + 2;
    rowParts = (p.tq + kChunk - 1) / kChunk * rowsPerChunk;
    columnParts = (p.tk + kBlock - 1) / kBlock * columnsPerBlock;
    sum = arena.take<float>(heads * rowParts * columnParts);
    max = arena.take<float>(heads * rowParts * columnParts);
}

void PoolCollector::start(int64_t head, int64_t chunk, int64_t block, int columns) {
    m_base = head * m_parts.rowParts * m_parts.columnParts;
    m_chunk = chunk;
    m_block = block;
    m_columns = columns;
    std::fill(m_total.sum, m_total.sum + kBlock, 0.0f);
    std::fill(m_total.max, m_total.max + kBlock, 0.0f);
}

void PoolCollector::skip(int64_t head, int64_t chunk, int64_t block) const {
    for (int64_t part = chunk * m_parts.rowsPerChunk; part < (chunk + 1) * m_parts.rowsPerChunk; ++part) {
        const int64_t at =
            (head * m_parts.rowParts + part) * m_parts.columnParts + block * m_parts.columnsPerBlock;
        std::fill(m_parts.sum + at, m_parts.sum + at + m_parts.columnsPerBlock, 0.0f);
        std::fill(m_parts.max + at, m_parts.max + at + m_parts.columnsPerBlock, 0.0f);
    }
}

void PoolCollector::add(const float* tile, Fold fold, Range range, int64_t first, int rows, bool last) {
    for (int64_t row = first; row < first + rows;) {
        const int64_t end = std::min((row / m_parts.cell + 1) * m_parts.cell, first + rows);
        if (!range.empty()) {
            Fold part = fold;
            if (end - row < rows) {  // the tile belongs to two rows of cells
                part = m_piece;
                m_level.fold(tile + (row - first) * kBlock, static_cast<int>(end - row), range.begin,
                             range.end, 0, part);
            }
            part.row = nullptr;
            m_level.addFold(m_total, part, range.begin, range.end);
        }
        if (end % m_parts.cell == 0 || (last && end == first + rows)) flush(row);
        row = end;
    }
}

void PoolCollector::flush(int64_t row) {
    const int64_t part =
        m_chunk * m_parts.rowsPerChunk + row / m_parts.cell - m_chunk * kChunk / m_parts.cell;
    const int64_t firstCell = m_block * kBlock / m_parts.cell;
    const int64_t at = m_base + part * m_parts.columnParts + m_block * m_parts.columnsPerBlock;
    for (int begin = 0; begin < m_columns;) {
        const int64_t cell = (m_block * kBlock + begin) / m_parts.cell;
        const int end =
            static_cast<int>(std::min<int64_t>((cell + 1) * m_parts.cell - m_block * kBlock, m_columns));
        m_parts.sum[at + cell - firstCell] = m_level.sumRange(m_total.sum, begin, end);
        m_parts.max[at + cell - firstCell] = m_level.maxRange(m_total.max, begin, end);
        begin = end;
    }
    std::fill(m_total.sum, m_total.sum + kBlock, 0.0f);
    std::fill(m_total.max, m_total.max + kBlock, 0.0f);
}

void joinPool(const fv_problem& p, const PoolParts& parts, int64_t head, int64_t row, float* mean,
              float* max) {
    const int64_t cell = parts.cell, width = (p.tk + cell - 1) / cell;
    const int64_t rowEnd = std::min((row + 1) * cell, p.tq);
    for (int64_t column = 0; column < width; ++column) {
        const int64_t columnEnd = std::min((column + 1) * cell, p.tk);
        double sum = 0;
        float most = 0;
        for (int64_t chunk = row * cell / kChunk; chunk * kChunk < rowEnd; ++chunk) {
            const int64_t rowPart = chunk * parts.rowsPerChunk + row - chunk * kChunk / cell;
            for (int64_t block = column * cell / kBlock; block * kBlock < columnEnd; ++block) {
                const int64_t columnPart = block * parts.columnsPerBlock + column - block * kBlock / cell;
                const int64_t at = (head * parts.rowParts + rowPart) * parts.columnParts + columnPart;
                sum += parts.sum[at];
                most = std::max(most, parts.max[at]);
            }
        }
        const double cells = static_cast<double>((rowEnd - row * cell) * (columnEnd - column * cell));
        if (mean) mean[column] = static_cast<float>(sum / cells);
        if (max) max[column] = most;
    }
}

}  // namespace fovea::kernels::cpu
