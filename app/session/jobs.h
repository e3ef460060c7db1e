#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "fovea/job_context.h"

namespace fovea {

/// How a job ended: done, cancelled, or with an error.
struct JobOutcome {
    std::uint64_t generation =
        0;  ///< counts the jobs of a lane, so that late results of replaced jobs can be dropped
    bool cancelled = false;
    std::optional<Error> error;

    bool done() const { return !cancelled && !error; }
};

/// A computation that may be run a second time, with less memory, when the first try ran out of it.
struct Job {
    std::string lane;  ///< jobs of one lane replace each other
    std::function<void(const JobContext&)> work;
    std::function<void(const JobOutcome&)> finished;  ///< called on the thread that computed; may be empty
    JobContext::Report report;
};

/// Runs `work` here and now and turns whatever it throws into an outcome. When memory runs out, `relieve` is
/// called once and the work tried again; when that fails, too, the error is the outcome.
JobOutcome runInline(const std::function<void(const JobContext&)>& work, const JobContext& job,
                     const std::function<void()>& relieve = {});

/// One thread that computes jobs in order. A newer job of a lane replaces the waiting one and stops the
/// running one. Destroying the runner stops everything and joins.
class JobRunner {
public:
    /// `relieve` is called on the compute thread when memory ran out.
    explicit JobRunner(std::function<void()> relieve = {});
    ~JobRunner();
    JobRunner(const JobRunner&) = delete;
    JobRunner& operator=(const JobRunner&) = delete;

    /// Queues a job and returns its generation.
    std::uint64_t submit(Job job);
    /// Stops the running job of a lane and drops the waiting one; both finish as cancelled.
    void cancel(const std::string& lane);
    /// Waits until nothing runs and nothing waits.
    void wait();

private:
    struct Waiting {
        Job job;
        std::uint64_t generation = 0;
    };
    void loop(const std::stop_token& stop);
    std::deque<Waiting> stopLane(const std::string& lane);

    std::function<void()> m_relieve;
    std::mutex m_mutex;
    std::condition_variable_any m_wake, m_idle;
    std::deque<Waiting> m_queue;
    std::uint64_t m_generation = 0;
    bool m_busy = false;
    std::string m_lane;  // of the running job
    std::stop_source m_stop;
    std::jthread m_thread;  // last: joins before the rest goes
};

}  // namespace fovea
