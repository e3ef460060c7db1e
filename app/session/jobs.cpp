#include "jobs.h"

#include <utility>

#include "fovea/compute_runtime.h"
#include "fovea/run.h"

namespace fovea {
namespace {

struct Attempt {
    JobOutcome outcome;
    bool ranOut =
        false;  ///< memory ran out; an estimate that was refused beforehand is an Error and not tried again
};

Attempt attempt(const std::function<void(const JobContext&)>& work, const JobContext& job) {
    Attempt result;
    try {
        work(job);
    } catch (const Cancelled&) {
        result.outcome.cancelled = true;
    } catch (const Error& error) {
        result.outcome.error = error;
    } catch (...) {
        result.outcome.error = translated(std::current_exception());
        result.ranOut = result.outcome.error->code() == ErrorCode::Memory;
    }
    return result;
}

void finish(const Job& job, const JobOutcome& outcome) {
    if (job.finished) job.finished(outcome);
}

void finishCancelled(const Job& job, std::uint64_t generation) {
    JobOutcome outcome;
    outcome.generation = generation;
    outcome.cancelled = true;
    finish(job, outcome);
}

}  // namespace

JobOutcome runInline(const std::function<void(const JobContext&)>& work, const JobContext& job,
                     const std::function<void()>& relieve) {
    Attempt first = attempt(work, job);
    if (!first.ranOut || !relieve) return first.outcome;
    relieve();
    releaseCachedMemory();
    Attempt second = attempt(work, job);
    if (second.ranOut) {
        const std::string free = formatBytes(availableMemory());
        second.outcome.error =
            Error(second.outcome.error->what(),
                  "about " + free + " are free: record less, use a smaller picture, or set the budget to " +
                      free + " so that a run that does not fit is refused before it starts",
                  ErrorCode::Memory);
    }
    return second.outcome;
}

JobRunner::JobRunner(std::function<void()> relieve)
    : m_relieve(std::move(relieve)), m_thread([this](const std::stop_token& stop) { loop(stop); }) {}

JobRunner::~JobRunner() {
    std::deque<Waiting> dropped;
    {
        const std::lock_guard lock(m_mutex);
        m_stop.request_stop();
        dropped.swap(m_queue);
    }
    for (const Waiting& waiting : dropped) finishCancelled(waiting.job, waiting.generation);
    m_thread.request_stop();
}

std::uint64_t JobRunner::submit(Job job) {
    std::deque<Waiting> replaced;
    std::uint64_t generation = 0;
    {
        const std::lock_guard lock(m_mutex);
        replaced = stopLane(job.lane);
        generation = ++m_generation;
        m_queue.push_back({std::move(job), generation});
    }
    m_wake.notify_one();
    for (const Waiting& waiting : replaced) finishCancelled(waiting.job, waiting.generation);
    return generation;
}

void JobRunner::cancel(const std::string& lane) {
    std::deque<Waiting> replaced;
    {
        const std::lock_guard lock(m_mutex);
        replaced = stopLane(lane);
    }
    for (const Waiting& waiting : replaced) finishCancelled(waiting.job, waiting.generation);
}

void JobRunner::wait() {
    std::unique_lock lock(m_mutex);
    m_idle.wait(lock, [this] { return !m_busy && m_queue.empty(); });
}

// Called with the lock held.
std::deque<JobRunner::Waiting> JobRunner::stopLane(const std::string& lane) {
    if (m_busy && m_lane == lane) m_stop.request_stop();
    std::deque<Waiting> taken, kept;
    for (Waiting& waiting : m_queue) (waiting.job.lane == lane ? taken : kept).push_back(std::move(waiting));
    m_queue.swap(kept);
    return taken;
}

void JobRunner::loop(const std::stop_token& stop) {
    while (true) {
        Waiting next;
        std::stop_token jobStop;
        {
            std::unique_lock lock(m_mutex);
            if (!m_wake.wait(lock, stop, [this] { return !m_queue.empty(); })) return;
            next = std::move(m_queue.front());
            m_queue.pop_front();
            m_busy = true;
            m_lane = next.job.lane;
            m_stop = std::stop_source();
            jobStop = m_stop.get_token();
        }
        JobOutcome outcome = runInline(next.job.work, JobContext(jobStop, next.job.report), m_relieve);
        outcome.generation = next.generation;
        finish(next.job, outcome);
        {
            const std::lock_guard lock(m_mutex);
            m_busy = false;
        }
        m_idle.notify_all();
    }
}

}  // namespace fovea
