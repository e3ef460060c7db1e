// The checks that every back end relies on, made once before a call reaches it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dispatch/report.h"

namespace fovea::kernels {

/// Whether a call runs, or only asks for the size of its workspace: then pointers are flags and nothing is
/// read.
enum class Stage { Workspace, Run };

/// One array that a call writes: `blocks` [batch, heads] of `count` elements each, strides in elements.
struct Written {
    const char* name;
    const void* data;
    int64_t batch, heads, strideB, strideH;
    int64_t rows, strideRow, count;  // a block is `rows` runs of `count` elements
    int64_t elementBytes;
};

/// The written arrays of one call, at most 20; null data are skipped.
class WrittenList {
public:
    void add(const Written& array);
    /// [batch, heads] blocks of `count` contiguous elements of 4 bytes.
    void add(const char* name, const fv_output& output, int64_t batch, int64_t heads, int64_t count);
    bool empty() const { return m_count == 0; }
    /// Strides, alignment, and that no two arrays and no two blocks of one array share a byte.
    bool check(Report& report, Stage stage) const;
    /// True when some array shares memory with [memory, memory + bytes).
    bool touches(const void* memory, size_t bytes) const;

private:
    Written m_arrays[20];
    int m_count = 0;
};

/// Which operands of a problem a call reads beside queries and keys.
struct Reads {
    bool value, gradOutput;
};

bool checkExec(const fv_exec* exec, Report& report);
bool checkProblem(const fv_problem* problem, const fv_exec& exec, Reads reads, Stage stage, Report& report);

bool checkRequest(const fv_problem&, const fv_stats_request&, const fv_exec&, Stage, WrittenList&, Report&);
bool checkRequest(const fv_problem&, const fv_lines_request&, const fv_exec&, Stage, WrittenList&, Report&);
bool checkRequest(const fv_problem&, const fv_tile_request&, const fv_exec&, Stage, WrittenList&, Report&);
bool checkRequest(const fv_problem&, const fv_product_request&, const fv_exec&, Stage, WrittenList&, Report&);
bool checkRequest(const fv_problem&, const fv_relevance_request&, const fv_exec&, Stage, WrittenList&,
                  Report&);
bool checkRequest(const fv_problem&, const fv_forward_request&, const fv_exec&, Stage, WrittenList&, Report&);

inline bool aligned(const void* pointer, size_t bytes) {
    return reinterpret_cast<uintptr_t>(pointer) % bytes == 0;
}

/// The number behind an enumerator that a C caller may have set to anything.
template <class Enum>
int numberOf(const Enum& value) {
    static_assert(sizeof(Enum) == sizeof(int));
    int number;
    std::memcpy(&number, &value, sizeof number);
    return number;
}

/// Largest stride, in elements, that is accepted: with the limits on sizes no offset overflows.
constexpr int64_t kMaxStride = int64_t{1} << 40;

}  // namespace fovea::kernels
