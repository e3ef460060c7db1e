#include "fovea/compute_runtime.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/util/Exception.h>

#include <new>
#include <string>

namespace fovea {
namespace {

// The first line of a c10 message: the rest is a stack trace.
std::string firstLine(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

Error outOfMemory(const std::string& detail) {
    return Error("the machine is out of memory" + (detail.empty() ? "" : ": " + detail),
                 "record fewer sites or quantities, use a smaller picture, or close other programs",
                 ErrorCode::Memory);
}

}  // namespace

void setComputeThreads(int threads) {
    if (threads < 0)
        throw Error("expected a number of threads of at least 0, found " + std::to_string(threads),
                    "Leave --threads out to use all cores.",
                    ErrorCode::Usage);
    if (threads > 0) at::set_num_threads(threads);
}

void releaseCachedMemory() {
    if (!at::hasCUDA()) return;
    c10::DeviceAllocator* allocator = c10::getDeviceAllocator(c10::kCUDA);
    if (allocator && allocator->initialized()) allocator->emptyCache();
}

Error translated(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        return error;
    } catch (const std::bad_alloc&) {
        return outOfMemory({});
    } catch (const c10::OutOfMemoryError& error) {
        return outOfMemory(firstLine(error.what_without_backtrace()));
    } catch (const c10::Error& error) {
        const std::string text = firstLine(error.what_without_backtrace());
        // The CPU allocator has no error type of its own.
        if (text.find("can't allocate memory") != std::string::npos ||
            text.find("out of memory") != std::string::npos)
            return outOfMemory(text);
        return Error("the tensor library failed: " + text, {}, ErrorCode::Internal);
    } catch (const std::exception& error) {
        return Error(std::string("unexpected failure: ") + error.what(), {}, ErrorCode::Internal);
    } catch (...) {
        return Error("unexpected failure of unknown kind", {}, ErrorCode::Internal);
    }
}

}  // namespace fovea
