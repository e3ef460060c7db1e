// Units of work over the threads of the caller. Each unit owns what it writes, so their order does not
// matter.
#pragma once

#include <atomic>
#include <cstdint>

#include "fovea/kernels/statistics.h"

namespace fovea::kernels::cpu {

class Workers {
public:
    explicit Workers(const fv_exec& exec) : m_exec(exec) {}

    /// Parts that may run at once, each with its own scratch.
    static int slots(const fv_exec& exec) { return exec.threads > 1 ? exec.threads : 1; }

    bool cancelled() const { return m_exec.cancel && *m_exec.cancel; }

    /// Runs body(slot, unit) for every unit; a slot is in use once at a time. Units are left out after a
    /// cancel.
    template <class Body>
    void each(int64_t units, const Body& body) const {
        Loop<Body> loop{*this, body, units, {0}};
        const int64_t parts = m_exec.parallel_for ? (units < slots(m_exec) ? units : slots(m_exec)) : 1;
        if (parts > 1) {
            m_exec.parallel_for(m_exec.parallel_context, parts, &Loop<Body>::part, &loop);
        } else {
            Loop<Body>::part(&loop, 0);
        }
    }

private:
    template <class Body>
    struct Loop {
        const Workers& workers;
        const Body& body;
        int64_t units;
        std::atomic<int64_t> next;

        static void part(void* argument, int64_t slot) {
            Loop& loop = *static_cast<Loop*>(argument);
            for (int64_t unit = loop.next++; unit < loop.units && !loop.workers.cancelled();
                 unit = loop.next++) {
                loop.body(static_cast<int>(slot), unit);
            }
        }
    };

    const fv_exec& m_exec;
};

}  // namespace fovea::kernels::cpu
