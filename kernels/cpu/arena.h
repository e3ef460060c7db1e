// Hands out 64-byte aligned arrays of one workspace; with a null base it only adds up their size.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fovea::kernels::cpu {

class Arena {
public:
    explicit Arena(void* base) : m_base(static_cast<char*>(base)) {}

    /// `count` elements, or null when sizing or when nothing is asked for.
    template <class T>
    T* take(int64_t count) {
        const size_t at = m_used;
        m_used += (static_cast<size_t>(count) * sizeof(T) + 63) / 64 * 64;
        return m_base && count > 0 ? reinterpret_cast<T*>(m_base + at) : nullptr;
    }
    size_t used() const { return m_used; }

private:
    char* m_base;
    size_t m_used = 0;
};

}  // namespace fovea::kernels::cpu
