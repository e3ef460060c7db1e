// A rectangle of A drawn into pixels.
#include <algorithm>

#include "cpu/drivers.h"
#include "cpu/heads.h"

namespace fovea::kernels::cpu {

namespace {

constexpr int64_t kBandRows = 64;  // queries of one unit, about

// `cells` cells shown by `pixels` pixels: in units of 1/pixels of a cell, pixel x covers [x * cells, (x + 1)
// * cells).
struct Axis {
    int64_t cells, pixels;

    int64_t firstPixel(int64_t cell) const { return cell * pixels / cells; }
    int64_t endPixel(int64_t cell) const {
        return std::min(pixels, ((cell + 1) * pixels + cells - 1) / cells);
    }
    int64_t firstCell(int64_t pixel) const { return pixel * cells / pixels; }
    int64_t endCell(int64_t pixel) const {
        return std::min(cells, ((pixel + 1) * cells + pixels - 1) / pixels);
    }
    /// Part of the cell that lies in the pixel, 0 to 1.
    float part(int64_t pixel, int64_t cell) const {
        const int64_t begin = std::max(pixel * cells, cell * pixels),
                      end = std::min((pixel + 1) * cells, (cell + 1) * pixels);
        return end - begin == pixels
                   ? 1.0f
                   : static_cast<float>(static_cast<double>(end - begin) / static_cast<double>(pixels));
    }
};

struct TileScratch {
    ScoreScratch score;
    float* joined;  // [tileRows][kBlock]
    float* across;  // [kChunk][width]: rows already reduced over their columns
};

struct TileCall {
    TileCall(const Context& shared, const fv_tile_request& wanted, Arena& arena)
        : context(shared), request(wanted) {
        rows = {request.row_end - request.row_begin, request.height};
        columns = {request.column_end - request.column_begin, request.width};
        joined = request.heads != FV_HEADS_NONE;
        bandPixels = std::clamp<int64_t>(kBandRows * rows.pixels / rows.cells, 1, rows.pixels);
        bands = (rows.pixels + bandPixels - 1) / bandPixels;
        chunkRows = joined ? context.level.tileRows : kChunk;
        flightHeads = joined ? context.problem.kv_heads : flightSize(context, context.group * bands);
        keys.layout(arena, context, flightHeads, request.column_begin, columns.cells);
        allKeys.layout(arena, context, flightHeads, 0, context.problem.lse ? 0 : context.problem.tk);
        shifts.layout(arena, flightHeads * context.group, rows.cells);
        scratch = arena.take<TileScratch>(context.slots);
        scoreScratch = arena.take<ScoreScratch>(context.slots);
        for (int slot = 0; slot < context.slots; ++slot) {
            TileScratch one{};
            one.score.layout(arena, context);
            one.joined = arena.take<float>(context.level.tileRows * kBlock);
            one.across = arena.take<float>(chunkRows * columns.pixels);
            if (!scratch) continue;
            scratch[slot] = one;
            scoreScratch[slot] = one.score;
        }
    }

    const Context& context;
    const fv_tile_request& request;
    Axis rows, columns;
    bool joined;
    int64_t bandPixels, bands, chunkRows, flightHeads;
    KeyPanels keys, allKeys;
    Shifts shifts;
    TileScratch* scratch;
    ScoreScratch* scoreScratch;
};

// Reduces the cells [first, first + count) of one row into its pixels.
void reduceAcross(const TileCall& call, const float* cells, int64_t first, int count, float* pixels) {
    const Axis& axis = call.columns;
    const Level& level = call.context.level;
    const bool most = call.request.reduce == FV_TILE_MAX;
    if (axis.cells == axis.pixels) {
        for (int j = 0; j < count; ++j) pixels[first + j] = cells[j];
        return;
    }
    for (int64_t x = axis.firstPixel(first); x < axis.pixels && axis.firstCell(x) < first + count; ++x) {
        int begin = static_cast<int>(std::max<int64_t>(axis.firstCell(x) - first, 0));
        int end = static_cast<int>(std::min<int64_t>(axis.endCell(x) - first, count));
        if (begin >= end) continue;
        if (most) {
            pixels[x] = std::max(pixels[x], level.maxRange(cells, begin, end));
            continue;
        }
        float sum = axis.part(x, first + begin) * cells[begin];
        if (++begin < end) {
            --end;
            sum += axis.part(x, first + end) * cells[end];
        }
        if (begin < end) sum += level.sumRange(cells, begin, end);
        pixels[x] += sum;
    }
}

// Adds one reduced row to the pixel rows of the band that it touches.
void reduceDown(const TileCall& call, const float* across, int64_t row, int64_t firstPixel, int64_t endPixel,
                float* out) {
    const int64_t width = call.columns.pixels;
    const bool most = call.request.reduce == FV_TILE_MAX;
    for (int64_t y = std::max(firstPixel, call.rows.firstPixel(row));
         y < std::min(endPixel, call.rows.endPixel(row)); ++y) {
        float* line = out + y * width;
        const float part = call.rows.part(y, row);
        if (most) {
            for (int64_t x = 0; x < width; ++x) line[x] = across[x] > line[x] ? across[x] : line[x];
        } else {
            for (int64_t x = 0; x < width; ++x) line[x] += part * across[x];
        }
    }
}

// Probabilities of one tile of one head, in scratch.score.tile.
Range tileOf(const TileCall& call, const TileScratch& scratch, Scorer& scorer, const HeadOf& head, int tile) {
    const Context& context = call.context;
    const Range range = scorer.score(tile);
    for (int r = 0; r < scorer.rowsOf(tile) && !range.empty(); ++r) {
        const int64_t row = scorer.line(tile * context.level.tileRows + r) - call.request.row_begin;
        const RowSums sums = context.level.probs(scratch.score.tile + r * kBlock, range.begin, range.end,
                                                 context.factor, call.shifts.at(head, row));
        if (!(sums.sum <= 3.4e38f)) context.nonfinite = true;
    }
    return range;
}

// Joins the heads [0, q_heads) of a batch entry cell by cell for one tile of lines, in scratch.joined.
void joinHeads(const TileCall& call, const TileScratch& scratch, const Flight& flight, int64_t firstLine,
               int lines, int64_t block) {
    const Context& context = call.context;
    const Level& level = context.level;
    for (int64_t slot = 0; slot < context.problem.q_heads; ++slot) {
        const HeadOf head = headOf(context, flight, slot);
        Scorer scorer(context, scratch.score, call.keys.matrix(context, head));
        scorer.setLines(firstLine, lines);
        scorer.setBlock(block);
        const Range range = tileOf(call, scratch, scorer, head, 0);
        for (int r = 0; r < lines; ++r) {
            float* cells = scratch.score.tile + r * kBlock;
            std::fill(cells, cells + (range.empty() ? kBlock : range.begin), 0.0f);
            if (!range.empty()) std::fill(cells + range.end, cells + kBlock, 0.0f);
            float* joined = scratch.joined + r * kBlock;
            if (slot == 0) {
                std::copy(cells, cells + kBlock, joined);
            } else {
                level.join(joined, cells, 0, kBlock, call.request.heads);
            }
        }
    }
}

void passRows(const TileCall& call, const TileScratch& scratch, const Flight& flight, const HeadOf& head,
              int64_t firstRow, int lines) {
    const Context& context = call.context;
    Scorer scorer(context, scratch.score, call.keys.matrix(context, head));
    if (!call.joined) scorer.setLines(call.request.row_begin + firstRow, lines);
    for (int64_t block = 0; block < scorer.blocks() && !context.workers.cancelled(); ++block) {
        const int64_t first = block * kBlock;
        const int columns = static_cast<int>(std::min<int64_t>(kBlock, call.columns.cells - first));
        if (call.joined) {
            joinHeads(call, scratch, flight, call.request.row_begin + firstRow, lines, block);
            for (int r = 0; r < lines; ++r) {
                reduceAcross(call, scratch.joined + r * kBlock, first, columns,
                             scratch.across + r * call.columns.pixels);
            }
            continue;
        }
        if (!scorer.reaches(block)) continue;
        scorer.setBlock(block);
        for (int tile = 0; tile < scorer.tiles(); ++tile) {
            const Range range = tileOf(call, scratch, scorer, head, tile);
            if (range.empty()) continue;
            const int end = std::min(range.end, columns);
            for (int r = 0; r < scorer.rowsOf(tile); ++r) {
                reduceAcross(call, scratch.score.tile + r * kBlock + range.begin, first + range.begin,
                             end - range.begin,
                             scratch.across + (tile * context.level.tileRows + r) * call.columns.pixels);
            }
        }
    }
}

void tileUnit(const TileCall& call, int slot, const Flight& flight, const HeadOf& head, int64_t band) {
    const fv_tile_request& request = call.request;
    const TileScratch& scratch = call.scratch[slot];
    const int64_t width = call.columns.pixels;
    const int64_t first = band * call.bandPixels, end = std::min(call.rows.pixels, first + call.bandPixels);
    float* out = static_cast<float*>(request.out.data) + head.batch * request.out.stride_b +
                 (call.joined ? 0 : head.head * request.out.stride_h);
    std::fill(out + first * width, out + end * width, 0.0f);
    const int64_t rowEnd = call.rows.endCell(end - 1);
    for (int64_t row = call.rows.firstCell(first); row < rowEnd; row += call.chunkRows) {
        const int lines = static_cast<int>(std::min(call.chunkRows, rowEnd - row));
        std::fill(scratch.across, scratch.across + lines * width, 0.0f);
        passRows(call, scratch, flight, head, row, lines);
        for (int r = 0; r < lines; ++r)
            reduceDown(call, scratch.across + r * width, row + r, first, end, out);
    }
    double scale = 1;
    if (request.reduce == FV_TILE_MEAN) {
        scale = static_cast<double>(call.rows.pixels) / static_cast<double>(call.rows.cells) *
                static_cast<double>(call.columns.pixels) / static_cast<double>(call.columns.cells);
    }
    if (request.heads == FV_HEADS_MEAN) scale /= static_cast<double>(call.context.problem.q_heads);
    if (scale == 1) return;
    for (int64_t i = first * width; i < end * width; ++i) out[i] = static_cast<float>(out[i] * scale);
}

}  // namespace

fv_status tileWorkspace(const fv_problem& problem, const fv_tile_request& request, const fv_exec& exec,
                        size_t* bytes) {
    const Context context(problem, exec);
    Arena arena(nullptr);
    const TileCall call(context, request, arena);
    *bytes = arena.used();
    return FV_OK;
}

fv_status tileRun(const fv_problem& problem, const fv_tile_request& request, const fv_exec& exec,
                  void* workspace, size_t) {
    const Context context(problem, exec);
    Arena arena(workspace);
    const TileCall call(context, request, arena);
    const LineSet rows{nullptr, request.row_begin, call.rows.cells};
    for (int64_t first = 0; first < context.kvCount && !context.workers.cancelled();
         first += call.flightHeads) {
        const Flight flight{first, std::min(call.flightHeads, context.kvCount - first)};
        call.keys.pack(context, flight);
        if (call.allKeys.count > 0) call.allKeys.pack(context, flight);
        call.shifts.fill(context, flight, rows, call.allKeys, call.scoreScratch);
        const int64_t heads = call.joined ? 1 : flight.count * context.group;
        context.workers.each(heads * call.bands, [&](int slot, int64_t unit) {
            tileUnit(call, slot, flight, headOf(context, flight, unit / call.bands), unit % call.bands);
        });
    }
    return context.finish();
}

}  // namespace fovea::kernels::cpu
